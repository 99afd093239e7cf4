#include "attacks/set_level.h"

#include "base/error.h"
#include "stats/soft_rank.h"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>

namespace steadyiqa::attacks {
namespace {

struct TargetedOptions {
  std::int64_t steps = 10;
};

/// Targeted I-FGSM (SMA's second stage): steps of eps / 5 along the sign of the gradient of -|score - target|, the best
/// point on the way.
class Targeted : public Attack {
 public:
  explicit Targeted(std::int64_t steps) : steps_(steps) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    constexpr double kShare = 0.2;
    auto x = problem.clean();
    torch::Tensor best;
    torch::Tensor best_values;
    for (std::int64_t step = 0; step < steps_; ++step) {
      const auto at = problem.gradient(x);
      if (!best.defined()) {
        best = x;
        best_values = at.values;
      }
      Problem::keep_better(best, best_values, x, at.values);
      x = problem.project(x + kShare * problem.epsilon() * at.gradient.sign());
    }
    Problem::keep_better(best, best_values, x, problem.values(x));
    return best;
  }
  std::int64_t steps_;
};

struct SmaOptions : TargetedOptions {
  std::int64_t rank_steps = 100000;
};

class Sma : public Targeted {
 public:
  using Options = SmaOptions;
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("steps", static_cast<std::int64_t Options::*>(&Options::steps),
              {.help = "gradient steps of eps / 5", .min = 1, .max = 100000}),
        field("rank-steps", &Options::rank_steps,
              {.help = "steps of the search for targets", .min = 1, .max = 10'000'000})};
    return kFields;
  }
  explicit Sma(const Options& options) : Targeted(options.steps) {}
  static std::vector<double> targets(const Options& options, std::span<const double> scores, std::uint64_t seed) {
    return stats::decorrelated_targets(scores, {.steps = options.rank_steps}, seed);
  }
};

struct InversionOptions : TargetedOptions {
  std::int64_t distance = 1;
};

class RankInversion : public Targeted {
 public:
  using Options = InversionOptions;
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("steps", static_cast<std::int64_t Options::*>(&Options::steps),
              {.help = "gradient steps of eps / 5", .min = 1, .max = 100000}),
        field("distance", &Options::distance,
              {.help = "ranks between the two images of a pair", .min = 1, .max = 1'000'000})};
    return kFields;
  }
  explicit RankInversion(const Options& options) : Targeted(options.steps) {}
  /// In the order of scores, each image and the one `distance` ranks above it aim at each other's score. Images that no
  /// partner is left for keep their own.
  static std::vector<double> targets(const Options& options, std::span<const double> scores, std::uint64_t /*seed*/) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](auto a, auto b) { return scores[a] < scores[b]; });
    std::vector<double> targets(scores.begin(), scores.end());
    const auto distance = static_cast<std::size_t>(options.distance);
    for (std::size_t block = 0; block < order.size(); block += 2 * distance) {
      for (std::size_t i = block; i < block + distance && i + distance < order.size(); ++i) {
        std::swap(targets[order[i]], targets[order[i + distance]]);
      }
    }
    return targets;
  }
};

template <class A>
AttackInfo set_level_entry(AttackInfo info) {
  info = attack_entry<A>(std::move(info));
  info.searches = false;
  info.targets = [](std::span<const double> scores, const nlohmann::json& parameters, std::uint64_t seed) {
    typename A::Options options;
    options_from_json(options, A::fields(), parameters, "attack");
    return A::targets(options, scores, seed);
  };
  return info;
}

}  // namespace

std::vector<AttackInfo> set_level_attacks() {
  return {set_level_entry<Sma>({.name = "sma",
                                .help = "the set's scores towards targets whose rank correlation is lowest",
                                .source = "Yang et al. 2024, arXiv 2404.13277",
                                .cost = "steps B + 1 F, and 1 F for the set's clean scores"}),
          set_level_entry<RankInversion>({.name = "rank-inversion",
                                          .help = "pairs of images that are to change places",
                                          .source = "pairwise form of the same",
                                          .cost = "steps B + 1 F, and 1 F for the set's clean scores"})};
}

}  // namespace steadyiqa::attacks
