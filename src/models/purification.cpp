#include "models/purification.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/named_options.h"
#include "base/seed.h"
#include "image/filters.h"
#include "models/eight_bit.h"
#include "models/noise.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace steadyiqa::models {
namespace {

constexpr std::size_t kMostSteps = 16;

std::vector<PurifierInfo> make_purifiers() {
  using P = Purifier;
  using enum PurifierKind;
  constexpr auto kPassed = PurifierGradient::kStraightThrough;
  const auto kernel =
      field("kernel", &P::kernel, {.help = "side of the window, an odd number", .unit = "pixels", .min = 3, .max = 31});
  return {
      {"jpeg",
       "compress and decode",
       kJpeg,
       kPassed,
       false,
       {field("quality", &P::quality, {.help = "of libjpeg", .min = 1, .max = 100})}},
      {"median", "median of a window, of each channel", kMedian, kPassed, false, {kernel}},
      {"blur", "Gaussian blur", kBlur, PurifierGradient::kTrue, false, {kernel}},
      {"bits",
       "fewer levels",
       kBits,
       kPassed,
       false,
       {field("bits", &P::bits, {.help = "of each channel", .unit = "bits", .min = 1, .max = 7})}},
      {"noise",
       "Gaussian noise, mean score of several draws",
       kNoise,
       PurifierGradient::kTrue,
       true,
       {field("sigma", &P::sigma, {.help = "standard deviation", .unit = "[0,1] pixels", .min = 1e-4, .max = 1}),
        field("draws", &P::draws, {.help = "that the score is the mean of", .min = 1, .max = 256}),
        field("seed", &P::seed, {.help = "of the draws", .min = 0})}},
  };
}

/// The exact value, and with a graph the gradient of the identity.
torch::Tensor pass_gradient(const torch::Tensor& exact, const torch::Tensor& pixels) {
  const bool needs_gradient = torch::GradMode::is_enabled() && pixels.requires_grad();
  return needs_gradient ? exact + (pixels - pixels.detach()) : exact;  // the difference is 0
}

image::Image through_jpeg(const image::Image& image, std::int64_t quality) {
  auto decoded = image::decode(image::encode_jpeg(image, static_cast<int>(quality)), "purified by JPEG");
  if (!decoded) {
    fail_input("{}", decoded.error());
  }
  return std::move(decoded).value();
}

torch::Tensor blurred(const torch::Tensor& pixels, std::int64_t kernel) {
  const auto weights = torch::tensor(image::gaussian_kernel(static_cast<int>(kernel)), torch::kFloat64)
                           .to(pixels.options())
                           .view({1, 1, 1, kernel})
                           .expand({3, 1, 1, kernel});
  const auto half = kernel / 2;
  const auto padded = torch::replication_pad2d(pixels, {half, half, half, half});
  const auto along = [](const torch::Tensor& x, const torch::Tensor& taps) {
    return torch::conv2d(x, taps, /*bias=*/{}, /*stride=*/1, torch::IntArrayRef{0}, /*dilation=*/1, /*groups=*/3);
  };
  return along(along(padded, weights), weights.transpose(2, 3));
}

torch::Tensor with_fewer_bits(const torch::Tensor& pixels, std::int64_t bits) {
  const double top = std::exp2(static_cast<double>(bits)) - 1;
  return (pixels.detach().clamp(0, 1) * top).round() / top;
}

torch::Tensor after(const Purifier& step, const torch::Tensor& pixels, std::uint64_t seed) {
  switch (step.kind) {
    case PurifierKind::kJpeg:
      return pass_gradient(pixels_of(through_jpeg(rounded_image(pixels), step.quality), pixels), pixels);
    case PurifierKind::kMedian: {
      const auto median = image::median_blur(rounded_image(pixels), static_cast<int>(step.kernel));
      return pass_gradient(pixels_of(median, pixels), pixels);
    }
    case PurifierKind::kBlur:
      return blurred(pixels, step.kernel);
    case PurifierKind::kBits:
      return pass_gradient(with_fewer_bits(pixels, step.bits), pixels);
    case PurifierKind::kNoise:
      return pixels + noise_like(pixels, step.sigma, seed);
  }
  STEADYIQA_ASSERT(false, "every purifier has its case");
  return pixels;
}

/// What an image's draws are keyed by.
std::uint64_t content(const torch::Tensor& pixels) {
  const auto levels = rounded_image(pixels).pixels;
  return digest_number({reinterpret_cast<const char*>(levels.data()), levels.size()});
}

}  // namespace

std::span<const PurifierInfo> purifier_catalogue() {
  static const std::vector<PurifierInfo> kCatalogue = make_purifiers();
  return kCatalogue;
}

const PurifierInfo& info_of(const Purifier& purifier) {
  const auto found = std::ranges::find(purifier_catalogue(), purifier.kind, &PurifierInfo::kind);
  STEADYIQA_ASSERT(found != purifier_catalogue().end(), "every purifier has its row");
  return *found;
}

Purifier parse_purifier(const std::string& text) {
  const auto options = NamedOptions::parse(text, "purifier");
  std::vector<std::string> names;
  for (const auto& info : purifier_catalogue()) {
    names.push_back(info.name);
    if (info.name == options.name) {
      Purifier purifier{.kind = info.kind};
      options_from_json(purifier, info.fields, options.values, fmt::format("purifier '{}'", text));
      if (purifier.kernel % 2 == 0) {
        fail_usage("purifier '{}': kernel = {} has no middle, it must be odd", text, purifier.kernel);
      }
      return purifier;
    }
  }
  fail_usage("unknown purifier '{}'{}", options.name, suggestion(options.name, names));
}

std::string purifier_text(const Purifier& purifier) {
  const auto& info = info_of(purifier);
  return NamedOptions{info.name, options_to_json(purifier, info.fields)}.text();
}

std::vector<Purifier> parse_purification(const std::vector<std::string>& texts) {
  std::vector<Purifier> chain;
  if (texts == std::vector<std::string>{"none"}) {
    return chain;
  }
  for (const auto& text : texts) {
    chain.push_back(parse_purifier(text));
  }
  check(chain);
  return chain;
}

std::vector<std::string> purification_texts(std::span<const Purifier> chain) {
  std::vector<std::string> texts;
  for (const auto& purifier : chain) {
    texts.push_back(purifier_text(purifier));
  }
  return texts;
}

void check(std::span<const Purifier> chain) {
  if (chain.size() > kMostSteps) {
    fail_usage("a purification of {} steps, the most are {}", chain.size(), kMostSteps);
  }
  for (const auto& purifier : chain) {
    static_cast<void>(parse_purifier(purifier_text(purifier)));
  }
}

bool is_random(std::span<const Purifier> chain) {
  return std::ranges::any_of(chain, [](const Purifier& purifier) { return info_of(purifier).random; });
}

std::vector<std::string> straight_through(std::span<const Purifier> chain) {
  std::vector<std::string> names;
  for (const auto& purifier : chain) {
    if (info_of(purifier).gradient == PurifierGradient::kStraightThrough) {
      names.push_back(info_of(purifier).name);
    }
  }
  return names;
}

std::int64_t draws(std::span<const Purifier> chain) {
  std::int64_t most = 1;
  for (const auto& purifier : chain) {
    most = std::max(most, info_of(purifier).random ? purifier.draws : 1);
  }
  return most;
}

torch::Tensor purified(const torch::Tensor& pixels, std::span<const Purifier> chain, std::int64_t draw) {
  const std::uint64_t key = is_random(chain) ? content(pixels) : 0;
  auto image = pixels;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const auto of_image = derive_seed(static_cast<std::uint64_t>(chain[i].seed), "purification", key);
    image = after(chain[i], image, derive_seed(of_image, "draw", static_cast<std::uint64_t>(draw), i));
  }
  return image;
}

}  // namespace steadyiqa::models
