#include "attacks/concealed.h"

#include "attacks/adam.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace steadyiqa::attacks {
namespace {

torch::Tensor sum_of_items(const torch::Tensor& values) { return values.sum({1, 2, 3}, /*keepdim=*/true); }

/// Maximum differentiation (Wang, Simoncelli 2008) as MSU's benchmark runs it: steps along the sign of that part of the
/// gradient which leaves the mean squared error as it is. Theirs goes back by sign steps where the error is above its
/// cap, here the change is scaled.
class Madc : public Attack {
 public:
  struct Options {
    std::int64_t steps = 8;
    double step_size = 1e-3;
    double max_rmse = 10.0 / 255.0;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("steps", &Options::steps, {.help = "gradient steps", .min = 1, .max = 100000}),
        field("step-size", &Options::step_size, {.help = "of one step", .unit = "[0,1] pixels", .min = 1e-6, .max = 1}),
        field("max-rmse", &Options::max_rmse,
              {.help = "root of the mean squared change", .unit = "[0,1] pixels", .min = 1e-6, .max = 1}),
    };
    return kFields;
  }
  explicit Madc(Options options) : options_(options) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    constexpr double kTiny = 1e-30;
    auto x = problem.clean();
    for (std::int64_t step = 0; step < options_.steps; ++step) {
      const auto gradient = problem.gradient(x).gradient;
      const auto change = x - problem.clean();
      const auto along = sum_of_items(gradient * change) / sum_of_items(change.square()).clamp_min(kTiny);
      const auto moved = change + options_.step_size * (gradient - along * change).sign();
      const auto rmse = moved.square().mean({1, 2, 3}, /*keepdim=*/true).sqrt().clamp_min(kTiny);
      x = problem.project(problem.clean() + moved * (options_.max_rmse / rmse).clamp_max(1));
    }
    return x;
  }
  Options options_;
};

/// What a Haar transform keeps in its low band: the mean of each 2x2 block. An odd last row or column is repeated.
torch::Tensor low_band(const torch::Tensor& x) {
  const auto even = torch::replication_pad2d(x, {0, x.size(3) % 2, 0, x.size(2) % 2});
  const auto blocks = torch::avg_pool2d(even, {2, 2});
  const auto low = blocks.repeat_interleave(2, 2).repeat_interleave(2, 3);
  return low.slice(2, 0, x.size(2)).slice(3, 0, x.size(3));
}

/// SSAH (Luo et al., CVPR 2022) as MSU's benchmark turns it on scores: Adam on the pixels, a change of the low band
/// costs.
class Ssah : public Attack {
 public:
  struct Options {
    std::int64_t steps = 10;
    double step_size = 1e-3;
    double weight = 0.1;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("steps", &Options::steps, {.help = "gradient steps", .min = 1, .max = 100000}),
        field("step-size", &Options::step_size, {.help = "Adam's rate", .unit = "[0,1] pixels", .min = 1e-6, .max = 1}),
        field("weight", &Options::weight,
              {.help = "of the low band's squared change, halved and summed, against a score of 0-1",
               .min = 0,
               .max = 1e9}),
    };
    return kFields;
  }
  explicit Ssah(Options options) : options_(options) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    // Their smooth l1 distance is half the square for changes below 1, which all are.
    const auto penalty = [&](const torch::Tensor& x) {
      return -100.0 * options_.weight * (low_band(x - problem.clean()).square() / 2).sum({1, 2, 3});
    };
    auto x = problem.clean();
    Adam adam;
    for (std::int64_t step = 0; step < options_.steps; ++step) {
      constexpr double kPoints = 100.0;  // Adam's epsilon compares with the gradient of a score in [0,1]
      x = problem.project(x + options_.step_size * adam.step(problem.gradient(x, penalty).gradient / kPoints));
    }
    return x;
  }
  Options options_;
};

/// How busy each pixel's surroundings are: standard deviation over mean of 3x3 pixels, divided by the item's largest,
/// below .01 none, then the root. The border counts as flat.
torch::Tensor busyness(const torch::Tensor& pixels) {
  if (pixels.size(2) < 3 || pixels.size(3) < 3) {
    return torch::zeros_like(pixels);
  }
  constexpr double kFlat = 0.01;
  constexpr double kTiny = 1e-30;
  const auto x = pixels.to(torch::kFloat64);  // variances are differences of nearly equal means
  const auto mean = torch::avg_pool2d(x, {3, 3}, {1, 1});
  const auto variance = (torch::avg_pool2d(x.square(), {3, 3}, {1, 1}) - mean.square()).clamp_min(0);
  const auto ratio = torch::where(mean > 0, variance.sqrt() / mean.clamp_min(kTiny), torch::zeros_like(mean));
  const auto share = ratio / ratio.amax({1, 2, 3}, /*keepdim=*/true).clamp_min(kTiny);
  const auto weight = share.masked_fill(share < kFlat, 0).sqrt();
  return torch::constant_pad_nd(weight, {1, 1, 1, 1}).to(pixels.scalar_type());
}

/// Per plane, the part of `change` at those frequencies where `image` is weak: all but its `keep` strongest.
torch::Tensor weak_frequencies(const torch::Tensor& change, const torch::Tensor& image, double keep) {
  // A frequency and its mirror image have one strength but for rounding, and must not be parted.
  constexpr double kRounding = 1 - 1e-9;
  const auto strength = torch::fft_fft2(image.to(torch::kFloat64)).abs();
  const auto count = strength.size(2) * strength.size(3);
  const auto weak = static_cast<std::int64_t>(std::floor((1 - keep) * static_cast<double>(count)));
  const auto sorted = std::get<0>(strength.flatten(2).sort(2));
  const auto threshold = sorted.select(2, std::min(weak, count - 1)).view({image.size(0), image.size(1), 1, 1});
  const auto mask = strength < threshold * kRounding;
  return torch::real(torch::fft_ifft2(torch::fft_fft2(change.to(torch::kFloat64)) * mask)).to(change.scalar_type());
}

/// IOI (Shumitskaya, Antsiferova, Vatolin, ICML 2024): one large sign step, of which only the image's weak frequencies
/// are taken, and those where it is busy. Theirs rounds the step to 8 bit; the base rounds the result.
class Ioi : public Attack {
 public:
  struct Options {
    double amplitude = 0.1;
    double keep = 0.07;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("amplitude", &Options::amplitude,
              {.help = "of the sign step before it is filtered", .unit = "[0,1] pixels", .min = 1e-6, .max = 1}),
        field("keep", &Options::keep,
              {.help = "share of frequencies, the image's strongest, that are left alone", .min = 0, .max = 1}),
    };
    return kFields;
  }
  explicit Ioi(Options options) : options_(options) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    const auto& clean = problem.clean();
    const auto stepped = (clean + options_.amplitude * problem.gradient(clean).gradient.sign()).clamp(0, 1);
    return clean + busyness(clean) * weak_frequencies(stepped - clean, clean, options_.keep);
  }
  Options options_;
};

}  // namespace

std::vector<AttackInfo> concealed_attacks() {
  return {
      attack_entry<Madc>({.name = "madc",
                          .help = "steps that leave the mean squared error as it is",
                          .source = "Wang, Simoncelli 2008",
                          .cost = "steps B",
                          .searches = false}),
      attack_entry<Ssah>({.name = "ssah",
                          .help = "Adam on the pixels, a change of low frequencies costs",
                          .source = "Luo et al. 2022",
                          .cost = "steps B",
                          .searches = false}),
      attack_entry<Ioi>({.name = "ioi",
                         .help = "one step, filtered to where the image is busy",
                         .source = "Shumitskaya et al. 2024",
                         .cost = "1 B",
                         .searches = false}),
  };
}

}  // namespace steadyiqa::attacks
