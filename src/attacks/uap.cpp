#include "attacks/uap.h"

#include "base/error.h"
#include "checkpoint/safetensors.h"
#include "data/loader.h"

#include <torch/torch.h>

#include <algorithm>
#include <span>

namespace steadyiqa::attacks {
namespace {

constexpr const char* kUapMetadata = "steadyiqa-uap";
constexpr int kUapFormat = 1;
constexpr std::uint64_t kMaxUapBytes = 1ULL << 28U;  // two tiles of the largest side, digests of millions of images
constexpr std::int64_t kMaxTile = 2048;

bool is_hex(const std::string& text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Throws Error(kInput) without a path.
UapOptions options_in(const nlohmann::json& json) {
  UapOptions options;
  for (const auto& f : uap_fields()) {
    static_cast<void>(json.at(f.name));  // a missing one must not quietly take this version's default
  }
  options_from_json(options, uap_fields(), json, "training");
  return options;
}

Uap from_metadata(const nlohmann::json& json) {
  const auto& format = json.at("format");
  if (!format.is_number_integer() || format.get<std::int64_t>() != kUapFormat) {
    fail_input("format {}, this version reads {}", format.is_number() ? format.dump() : "?", kUapFormat);
  }
  Uap uap;
  uap.training = options_in(json.at("training"));
  uap.epochs = json.at("epochs").get<std::int64_t>();
  uap.model = json.at("model").at("name").get<std::string>();
  uap.model_sha256 = json.at("model").at("sha256").get<std::string>();
  uap.images = json.at("images").get<std::vector<std::string>>();
  constexpr std::size_t kSha256Digits = 64;
  constexpr std::size_t kImageDigits = 16;
  if (!is_hex(uap.model_sha256, kSha256Digits) ||
      !std::ranges::all_of(uap.images, [](const auto& digest) { return is_hex(digest, kImageDigits); })) {
    fail_input("a digest in its metadata is none");
  }
  if (!std::ranges::is_sorted(uap.images)) {
    fail_input("the image digests in its metadata are not sorted");
  }
  if (uap.epochs < 0 || uap.epochs > uap.training.epochs) {
    fail_input("{} finished epochs of {}", uap.epochs, uap.training.epochs);
  }
  return uap;
}

/// The named square out of `tensors`; undefined when there is none.
torch::Tensor take_square(checkpoint::TensorMap& tensors, const std::string& name, const UapOptions& training) {
  const auto node = tensors.extract(name);
  if (node.empty()) {
    return {};
  }
  const auto& square = node.mapped();
  if (square.scalar_type() != torch::kFloat32 || !square.sizes().equals({3, training.tile, training.tile})) {
    fail_input("tensor {} is {} {}, not float32 [3,{},{}]", name, torch::toString(square.scalar_type()),
               checkpoint::shape_text(std::span(square.sizes().data(), square.sizes().size())), training.tile,
               training.tile);
  }
  constexpr double kSlack = 1e-6;  // the bound as float32
  if (!torch::isfinite(square).all().item<bool>() || square.abs().max().item<double>() > training.bound + kSlack) {
    fail_input("tensor {} holds values that are not finite or beyond its bound of {}", name, training.bound);
  }
  return square;
}

Uap from_file(checkpoint::SafetensorsFile file) {
  const auto entry = file.metadata.find(kUapMetadata);
  if (entry == file.metadata.end()) {
    fail_input("not a universal perturbation (no '{}' metadata): steadyiqa attack train uap makes one", kUapMetadata);
  }
  auto uap = from_metadata(nlohmann::json::parse(entry->second));
  uap.up = take_square(file.tensors, "up", uap.training);
  uap.down = take_square(file.tensors, "down", uap.training);
  if (!uap.up.defined() || uap.down.defined() != (uap.training.directions == UapDirections::kBoth)) {
    fail_input("lacks tensor up, or its tensor down and its directions do not agree");
  }
  if (!file.tensors.empty()) {
    fail_input("unexpected tensor {}", checkpoint::shown(file.tensors.begin()->first));
  }
  return uap;
}

}  // namespace

const FieldTable<UapOptions>& uap_fields() {
  using U = UapOptions;
  static const FieldTable<U> kFields = {
      field("trainer", &U::trainer, {"optimised", "cumulative", "generative"},
            {.help = "Adam on the perturbation, plain gradient steps, or a network that makes it from noise"}),
      field("direction", &U::directions, {"up", "both"},
            {.help = "both: a second perturbation that lowers scores, so that an attack can push either way"}),
      field("variant", &U::variant, {"paper", "official"},
            {.help = "official: the authors' code, which draws each batch from all images anew and passes gradients on "
                     "where pixels are cut to [0,1]"}),
      field(
          "tile", &U::tile,
          {.help = "side of the perturbation and of the training crops", .unit = "pixels", .min = 8, .max = kMaxTile}),
      field("bound", &U::bound,
            {.help = "largest absolute value of the perturbation", .unit = "[0,1] pixels", .min = 1e-4, .max = 1}),
      field("batch", &U::batch, {.help = "crops in a step", .min = 1, .max = 1024}),
      field("epochs", &U::epochs, {.help = "passes over the images", .min = 1, .max = 100000}),
      field("rate", &U::rate,
            {.help = "step size; 0 = 1e-3 of Adam, 1 of cumulative (times the gradient of score / 100)",
             .min = 0,
             .max = 1e6}),
      field("channels", &U::channels, {.help = "of the generator's first layer", .min = 1, .max = 512}),
      field("seed", &U::seed, {.help = "of order, crops, noise and weights", .min = 0}),
  };
  return kFields;
}

double uap_rate(const UapOptions& options) {
  const double usual = options.trainer == UapTrainer::kCumulative ? 1.0 : 1e-3;
  return options.rate > 0 ? options.rate : usual;
}

bool Uap::trained_on(const torch::Tensor& pixels) const {
  return std::ranges::binary_search(images, data::pixel_digest(pixels));
}

torch::Tensor tiled(const torch::Tensor& square, std::int64_t height, std::int64_t width) {
  const auto times = [&](std::int64_t length) { return (length + square.size(1) - 1) / square.size(1); };
  return square.repeat({1, times(height), times(width)}).slice(1, 0, height).slice(2, 0, width);
}

void write_uap(const std::filesystem::path& path, const Uap& uap) {
  checkpoint::SafetensorsFile file;
  file.tensors["up"] = uap.up;
  if (uap.down.defined()) {
    file.tensors["down"] = uap.down;
  }
  const nlohmann::json metadata = {{"format", kUapFormat},
                                   {"training", options_to_json(uap.training, uap_fields())},
                                   {"epochs", uap.epochs},
                                   {"model", {{"name", uap.model}, {"sha256", uap.model_sha256}}},
                                   {"images", uap.images}};
  file.metadata[kUapMetadata] = metadata.dump();
  checkpoint::write_safetensors(path, file);
}

Uap read_uap(const std::filesystem::path& path) {
  auto file = checkpoint::read_safetensors(path, kMaxUapBytes);
  try {
    return from_file(std::move(file));
  } catch (const nlohmann::json::exception& error) {
    fail_input("{}: broken '{}' metadata: {}", path.string(), kUapMetadata, error.what());
  } catch (const Error& error) {
    fail_input("{}: {}", path.string(), error.what());
  }
}

}  // namespace steadyiqa::attacks
