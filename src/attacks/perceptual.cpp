#include "attacks/perceptual.h"

#include "attacks/adam.h"
#include "attacks/fidelity.h"
#include "base/error.h"
#include "checkpoint/feature_distance_file.h"
#include "models/network.h"

#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <utility>

namespace steadyiqa::attacks {
namespace {

/// Zhang, Li, Min, Zhai, Guo, Yang, Ma (NeurIPS 2022), eq. 2. Where theirs shows the results of many lambdas to people,
/// this searches the lambda whose result, rounded to 8 bit, has a given distance.
class Perceptual : public Attack {
 public:
  using Options = PerceptualOptions;
  static const FieldTable<Options>& fields();
  explicit Perceptual(Options options);

 private:
  /// D of [N,3,H,W] from the clean images: [N].
  using Distance = std::function<torch::Tensor(const torch::Tensor& x)>;
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override;
  /// One run of all steps. `lambda`, `start`: [N], the values of the clean images.
  [[nodiscard]] torch::Tensor run(Problem& problem, const Distance& distance, const torch::Tensor& lambda,
                                  const torch::Tensor& start) const;
  [[nodiscard]] bool by_linf() const { return options_.distance == PerceptualDistance::kLinf; }
  /// That a search allows; for linf whole levels.
  [[nodiscard]] double max_distance() const;
  [[nodiscard]] Distance distance_from(const torch::Tensor& clean) const;
  [[nodiscard]] torch::Tensor noise(const Problem& problem) const;
  /// From the objective's gradient to a step of size 1.
  [[nodiscard]] torch::Tensor direction(const torch::Tensor& gradient) const;
  Options options_;
  std::shared_ptr<models::FeatureDistance> features_;  ///< of lpips and dists
};

/// log10 of lambda: at the ends only one of the two terms counts.
constexpr double kLowest = -8;
constexpr double kHighest = 2;

const FieldTable<PerceptualOptions>& Perceptual::fields() {
  static const FieldTable<Options> kFields = {
      field("distance", &Options::distance, {"ssim", "linf", "lpips", "dists"},
            {.help = "what the change is weighed against: 1 - SSIM of luma, the largest change, LPIPS or DISTS"}),
      field("weights", &Options::weights, {.help = "file of LPIPS' or DISTS' weights"}),
      field("trunk", &Options::trunk,
            {.help = "torchvision's file of its VGG-16 (LPIPS: or AlexNet), where weights has none"}),
      field(
          "search", &Options::search, {"bisection", "grid", "fixed"},
          {.help = "how lambda is found: for each image the most harmful that stays within max-distance, or as given"}),
      field("trials", &Options::trials, {.help = "lambdas that a search tries", .min = 2, .max = 1000}),
      field("max-distance", &Options::max_distance,
            {.help = "that a search allows after rounding; 0 = 0.01 (SSIM 0.99), for linf 4/255", .min = 0, .max = 2}),
      field("lambda", &Options::lambda,
            {.help = "weight of the squared change in points against the distance, with search=fixed",
             .min = 0,
             .max = 1e12}),
      field("steps", &Options::steps, {.help = "gradient steps of each trial", .min = 1, .max = 100000}),
      field("step-size", &Options::step_size,
            {.help = "0 = 1e-3, official 5e-3; but for linf the root of a step's mean square",
             .unit = "[0,1] pixels",
             .min = 0,
             .max = 1}),
      field("variant", &Options::variant, {"paper", "official"},
            {.help = "official: the authors' code, a new Adam for each step"}),
  };
  return kFields;
}

torch::Tensor per_item(const torch::Tensor& values) { return values.view({-1, 1, 1, 1}); }

Perceptual::Perceptual(Options options) : options_(std::move(options)) {
  const bool dists = options_.distance == PerceptualDistance::kDists;
  if (dists || options_.distance == PerceptualDistance::kLpips) {
    if (options_.weights.empty()) {
      fail_usage("attack 'perceptual': distance {} needs weights=FILE", dists ? "dists" : "lpips");
    }
    const auto kind = dists ? checkpoint::FeatureDistanceKind::kDists : checkpoint::FeatureDistanceKind::kLpips;
    features_ = checkpoint::load_feature_distance(kind, options_.weights, options_.trunk);
  } else if (!options_.weights.empty() || !options_.trunk.empty()) {
    fail_usage("attack 'perceptual': weights and trunk are those of the distances lpips and dists");
  }
}

double Perceptual::max_distance() const {
  if (by_linf()) {
    return options_.max_distance > 0 ? budget_levels(options_.max_distance) / 255.0 : 4.0 / 255.0;
  }
  return options_.max_distance > 0 ? options_.max_distance : 0.01;
}

Perceptual::Distance Perceptual::distance_from(const torch::Tensor& clean) const {
  if (features_ != nullptr) {
    return [reference = features_->features(clean), network = features_](const torch::Tensor& x) {
      return network->between(network->features(x), reference);
    };
  }
  if (by_linf()) {
    return [clean](const torch::Tensor& x) { return (x - clean).abs().amax({1, 2, 3}); };
  }
  return [clean](const torch::Tensor& x) { return 1 - ssim(x, clean); };
}

torch::Tensor Perceptual::noise(const Problem& problem) const {
  // At the clean image the squared change has no gradient.
  const std::int64_t levels = options_.variant == PerceptualVariant::kPaper ? 3 : 2;
  return problem.random("perceptual", 0,
                        [levels](Rng& rng) { return static_cast<double>(rng.below(levels) - 1) / 255.0; });
}

torch::Tensor Perceptual::direction(const torch::Tensor& gradient) const {
  const bool official = options_.variant == PerceptualVariant::kOfficial;
  if (!official && by_linf()) {
    return gradient.sign();
  }
  constexpr double kTiny = 1e-30;
  const auto unit = gradient / gradient.square().sum({1, 2, 3}, /*keepdim=*/true).sqrt().clamp_min(kTiny);
  if (official) {
    if (features_ == nullptr) {
      constexpr std::int64_t kCorner = 5;
      unit.slice(2, 0, kCorner).slice(3, 0, kCorner).zero_();
      unit.slice(2, -kCorner).slice(3, -kCorner).zero_();
    }
    return Adam().step(unit);
  }
  // A step of norm 1e-3, as in the paper's text, would be far below a grey level whatever their number.
  return unit * std::sqrt(static_cast<double>(unit[0].numel()));
}

torch::Tensor Perceptual::run(Problem& problem, const Distance& distance, const torch::Tensor& lambda,
                              const torch::Tensor& start) const {
  const double usual = options_.variant == PerceptualVariant::kPaper ? 1e-3 : 5e-3;
  const double size = options_.step_size > 0 ? options_.step_size : usual;
  // The gradient of a largest change is that of a single pixel, and cannot hold the others.
  const bool cut = by_linf() && options_.search != LambdaSearch::kFixed;
  auto x = problem.project(problem.clean() + noise(problem));
  for (std::int64_t step = 0; step < options_.steps; ++step) {
    const auto at = problem.gradient(x);
    const auto weight = 2 * lambda * (at.values - start).abs();
    const auto gradient = per_item(weight) * at.gradient - models::input_gradient(distance, x).gradient;
    x = problem.project(x + size * direction(gradient));
    if (cut) {
      x = problem.clean() + (x - problem.clean()).clamp(-max_distance(), max_distance());
    }
  }
  return x;
}

torch::Tensor Perceptual::perturb(Problem& problem) const {
  const bool fixed = options_.search == LambdaSearch::kFixed;
  const bool bisection = options_.search == LambdaSearch::kBisection;
  const auto distance = distance_from(problem.clean());
  const auto start = problem.values(problem.clean());
  auto best = problem.clean();
  auto best_values = start;
  auto low = torch::full_like(start, kLowest);
  auto high = torch::full_like(start, kHighest);
  const auto trials = fixed ? 1 : options_.trials;
  for (std::int64_t trial = 0; trial < trials && (low < high).any().item<bool>(); ++trial) {
    // Both searches begin with the largest, which ends a bisection where the budget alone keeps the distance.
    auto exponent = (low + high) / 2;
    if (!bisection || trial == 0) {
      const double share = static_cast<double>(trial) / static_cast<double>(options_.trials - 1);
      exponent = torch::full_like(start, kHighest + share * (kLowest - kHighest));
    }
    const auto lambda = fixed ? torch::full_like(start, options_.lambda) : torch::pow(10.0, exponent);
    const auto x = run(problem, distance, lambda, start);
    const auto rounded = problem.round(x);
    // For float arithmetic; for linf also for clean values between levels (the crops of an enlarged image).
    const double slack = by_linf() ? 0.5 / 255.0 : 1e-6;
    const auto faithful = distance(rounded) <= max_distance() + slack;
    const auto values = problem.values(rounded);
    constexpr double kNever = -std::numeric_limits<double>::infinity();
    Problem::keep_better(best, best_values, x, fixed ? values : values.masked_fill(~faithful, kNever));
    if (bisection) {
      low = torch::where(faithful, exponent, low);
      high = torch::where(faithful, high, exponent);
    }
  }
  return best;
}

}  // namespace

std::vector<AttackInfo> perceptual_attacks() {
  return {attack_entry<Perceptual>({.name = "perceptual",
                                    .help = "change of the score weighed against what people see",
                                    .source = "Zhang et al. 2022",
                                    .cost = "1 F + trials (steps B + 1 F) at most",
                                    .searches = false})};
}

}  // namespace steadyiqa::attacks
