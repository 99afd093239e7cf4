#include "attacks/korhonen.h"

#include "attacks/adam.h"
#include "attacks/fidelity.h"

#include <torch/torch.h>

#include <limits>

namespace steadyiqa::attacks {
namespace {

/// Korhonen, You (QoEVMA 2022), on the victim's own gradient. Their steps know no budget; here each is cut to it, so
/// that with a budget of 1 the attack is theirs.
class Korhonen : public Attack {
 public:
  using Options = KorhonenOptions;
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("rate", &Options::rate,
              {.help = "of Adam, grey levels of 255; theirs were 0.1, 0.5, 2 and 5", .min = 1e-6, .max = 255}),
        field("min-steps", &Options::min_steps, {.help = "gradient steps before it may stop", .min = 1, .max = 100000}),
        field("max-steps", &Options::max_steps, {.help = "gradient steps at most", .min = 1, .max = 100000}),
        field("mask", &Options::mask, {"update", "gradient"},
              {.help = "what the activity map is multiplied with; gradient: their code"}),
    };
    return kFields;
  }
  explicit Korhonen(Options options) : options_(options) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override { return korhonen_search(problem, options_); }
  Options options_;
};

/// Largest value under a 5x5 disc without its corners, which is a 5x3 and a 3x5 rectangle.
torch::Tensor dilate(const torch::Tensor& plane) {
  return torch::maximum(torch::max_pool2d(plane, {5, 3}, {1, 1}, {2, 1}),
                        torch::max_pool2d(plane, {3, 5}, {1, 1}, {1, 2}));
}

}  // namespace

torch::Tensor spatial_activity(const torch::Tensor& pixels) {
  const auto plane = luma(pixels);
  const auto height = plane.size(2);
  const auto width = plane.size(3);
  auto activity = torch::zeros_like(plane);
  if (height > 2 && width > 2) {
    const auto down = torch::tensor({{-1.0, -2.0, -1.0}, {0.0, 0.0, 0.0}, {1.0, 2.0, 1.0}}, plane.options()) / 8;
    const auto slopes = torch::conv2d(plane, torch::stack({down, down.t()}).unsqueeze(1));
    activity.slice(2, 1, height - 1).slice(3, 1, width - 1).copy_(slopes.square().sum(1, /*keepdim=*/true));
  }
  const auto largest = activity.amax({2, 3}, /*keepdim=*/true);
  return torch::where(largest > 0, dilate(activity) / largest, torch::ones_like(activity));
}

torch::Tensor korhonen_search(Problem& problem, const KorhonenOptions& options) {
  constexpr double kPatience = 2;
  // Their gradient is of a score in [0,1] by grey levels. Adam's epsilon compares with it.
  constexpr double kPointsAndLevels = 100.0 * 255.0;
  const auto mask = spatial_activity(problem.clean());
  auto x = problem.clean();
  auto best = x;
  auto best_values = torch::full({problem.size()}, -std::numeric_limits<double>::infinity(), x.options());
  auto misses = torch::zeros_like(best_values);
  Adam adam;
  for (std::int64_t step = 0; step < options.max_steps; ++step) {
    const auto active = step < options.min_steps ? misses >= 0 : misses < kPatience;
    if (!active.any().item<bool>()) {
      break;
    }
    const auto at = problem.gradient(x);
    const auto better = active & (at.values > best_values);
    misses = torch::where(active, torch::where(better, torch::zeros_like(misses), misses + 1), misses);
    Problem::keep_better(best, best_values, x, torch::where(better, at.values, best_values));
    const auto gradient = at.gradient / kPointsAndLevels;
    const bool by_gradient = options.mask == ActivityMask::kGradient;
    const auto move = by_gradient ? adam.step(gradient * mask) : adam.step(gradient) * mask;
    x = problem.project(x + options.rate / 255.0 * move);
  }
  return best;
}

std::vector<AttackInfo> korhonen_attacks() {
  return {attack_entry<Korhonen>({.name = "korhonen",
                                  .help = "Adam on the pixels where the image is busy",
                                  .source = "Korhonen, You 2022",
                                  .cost = "max-steps B at most",
                                  .searches = false})};
}

}  // namespace steadyiqa::attacks
