#include "attacks/apgd.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace steadyiqa::attacks {
namespace {

/// Auto-PGD (Croce, Hein 2020, algorithm 1) on a score: the objective is the signed score itself (or minus the distance
/// to a target), so that nothing of their losses on class logits is left. Momentum .75; the first step is 2 eps, it is
/// halved at a checkpoint and the search returns to the best point when fewer than 75 % of the steps since the last
/// checkpoint rose, or when neither step size nor best value has changed since then.
class Apgd : public Attack {
 public:
  struct Options {
    std::int64_t steps = 100;
    std::int64_t restarts = 1;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("steps", &Options::steps, {.help = "gradient steps of a start", .min = 2, .max = 100000}),
        field("restarts", &Options::restarts,
              {.help = "starts: the clean image, then random ones", .min = 1, .max = 1000})};
    return kFields;
  }
  explicit Apgd(Options options) : options_(options) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override;
  /// The best point of one start and its value.
  [[nodiscard]] std::pair<torch::Tensor, torch::Tensor> search(Problem& problem, const torch::Tensor& start) const;
  Options options_;
};

/// Steps at which the step size is reconsidered: shares .22, then .03 less than the last interval, .06 at least.
std::vector<std::int64_t> checkpoints(std::int64_t steps) {
  const auto n = static_cast<double>(steps);
  std::vector<std::int64_t> at = {0};
  double previous = 0;
  double share = 0.22;
  while (share < 1) {
    at.push_back(static_cast<std::int64_t>(std::ceil(share * n)));
    const double next = share + std::max(share - previous - 0.03, 0.06);
    previous = share;
    share = next;
  }
  return at;
}

/// What the step size of each item is decided by, [N] each.
struct Progress {
  torch::Tensor step;
  torch::Tensor rises;        ///< steps since the last checkpoint that raised the value
  torch::Tensor step_before;  ///< at the last checkpoint
  torch::Tensor best_before;
};

/// The items whose step is to be halved (conditions 1 and 2 of the paper).
torch::Tensor stalled(const Progress& progress, const torch::Tensor& best, std::int64_t interval) {
  constexpr double kShare = 0.75;
  const auto few = progress.rises < kShare * static_cast<double>(interval);
  return few | ((progress.step_before == progress.step) & (progress.best_before == best));
}

std::pair<torch::Tensor, torch::Tensor> Apgd::search(Problem& problem, const torch::Tensor& start) const {
  constexpr double kMomentum = 0.75;
  const auto per_item = [](const torch::Tensor& values) { return values.view({-1, 1, 1, 1}); };
  auto x = start;
  auto previous = start;
  auto at = problem.gradient(x);
  auto best = x;
  auto best_gradient = at.gradient;
  auto best_values = at.values;
  auto values = at.values;
  Progress progress;
  progress.step = torch::full_like(values, 2 * problem.epsilon());
  progress.rises = torch::zeros_like(values);
  progress.step_before = progress.step.clone();
  progress.best_before = best_values.clone();
  const auto marks = checkpoints(options_.steps);
  std::size_t mark = 1;
  for (std::int64_t k = 0; k < options_.steps; ++k) {
    const auto z = problem.project(x + per_item(progress.step) * at.gradient.sign());
    const auto moved = k == 0 ? z : problem.project(x + kMomentum * (z - x) + (1 - kMomentum) * (x - previous));
    previous = x;
    x = moved;
    at = problem.gradient(x);
    progress.rises = progress.rises + (at.values > values).to(values.scalar_type());
    values = at.values;
    const auto better = per_item(at.values > best_values);
    best_gradient = torch::where(better, at.gradient, best_gradient);
    Problem::keep_better(best, best_values, x, at.values);
    if (mark < marks.size() && k + 1 == marks[mark]) {
      const auto halve = stalled(progress, best_values, marks[mark] - marks[mark - 1]);
      progress.step_before = progress.step.clone();
      progress.best_before = best_values.clone();
      progress.step = torch::where(halve, progress.step / 2, progress.step);
      x = torch::where(per_item(halve), best, x);
      at.gradient = torch::where(per_item(halve), best_gradient, at.gradient);
      values = torch::where(halve, best_values, values);
      progress.rises = torch::zeros_like(values);
      ++mark;
    }
  }
  return {best, best_values};
}

torch::Tensor Apgd::perturb(Problem& problem) const {
  auto [best, best_values] = search(problem, problem.clean());
  for (std::int64_t restart = 1; restart < options_.restarts; ++restart) {
    const auto noise = problem.random("apgd", static_cast<std::uint64_t>(restart),
                                      [&](Rng& rng) { return rng.uniform(-problem.epsilon(), problem.epsilon()); });
    const auto [x, values] = search(problem, problem.project(problem.clean() + noise));
    Problem::keep_better(best, best_values, x, values);
  }
  return best;
}

}  // namespace

std::vector<AttackInfo> apgd_attacks() {
  return {attack_entry<Apgd>({.name = "apgd",
                              .help = "projected steps that shrink when they stop helping",
                              .source = "Croce, Hein 2020",
                              .cost = "restarts (steps + 1) B"})};
}

}  // namespace steadyiqa::attacks
