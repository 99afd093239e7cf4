#include "attacks/apgd.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace steadyiqa::attacks {
namespace {

/// The strongest points so far.
struct Best {
  torch::Tensor x;
  torch::Tensor values;    ///< [N]
  torch::Tensor finished;  ///< [N], bool: to be left as it is
  /// The items of `which`, but for finished ones.
  void take(const torch::Tensor& which, const torch::Tensor& other, const torch::Tensor& other_values) {
    const auto mask = which & ~finished;
    x = Problem::chosen(mask, other, x);
    values = torch::where(mask, other_values, values);
  }
};

/// Auto-PGD (Croce, Hein 2020, algorithm 1) on a score: the objective is the signed score itself (or minus the distance
/// to a target), so that nothing of their losses on class logits is left. Momentum .75; the first step is 2 eps, it is
/// halved at a checkpoint and the search returns to the best point when fewer than 75 % of the steps since the last
/// checkpoint rose, or when neither step size nor best value has changed since then.
class Apgd : public Attack {
 public:
  struct Options {
    std::int64_t steps = 100;
    std::int64_t restarts = 1;
    bool until_off_scale = false;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("steps", &Options::steps, {.help = "gradient steps of a start", .min = 2, .max = 100000}),
        field("restarts", &Options::restarts,
              {.help = "starts: the clean image, then random ones", .min = 1, .max = 1000}),
        field("until-off-scale", &Options::until_off_scale,
              {.help = "an image whose score, after rounding, is at 0 or 100 or beyond is left there"})};
    return kFields;
  }
  explicit Apgd(Options options) : options_(options) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override;
  /// What one start comes to; `finished`: by the starts before.
  [[nodiscard]] Best search(Problem& problem, const torch::Tensor& start, const torch::Tensor& finished) const;
  /// Whether, by options_, no item is left to be raised; `x` has just come to `values`.
  [[nodiscard]] bool finish(Problem& problem, const torch::Tensor& x, const torch::Tensor& values, Best& best) const;
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

bool Apgd::finish(Problem& problem, const torch::Tensor& x, const torch::Tensor& values, Best& best) const {
  if (!options_.until_off_scale) {
    return false;
  }
  auto now = problem.off_scale(values) & ~best.finished;
  if (now.any().item<bool>()) {
    now = now & problem.off_scale(problem.values(problem.round(x)));
    best.take(now, x, values);
    best.finished = best.finished | now;
  }
  return best.finished.all().item<bool>();
}

Best Apgd::search(Problem& problem, const torch::Tensor& start, const torch::Tensor& finished) const {
  constexpr double kMomentum = 0.75;
  auto x = start;
  auto previous = start;
  auto at = problem.gradient(x);
  auto values = at.values;
  Best best{x, values, finished};
  auto best_gradient = at.gradient;
  Progress progress;
  progress.step = torch::full_like(values, 2 * problem.epsilon());
  progress.rises = torch::zeros_like(values);
  progress.step_before = progress.step.clone();
  progress.best_before = best.values.clone();
  const auto marks = checkpoints(options_.steps);
  std::size_t mark = 1;
  for (std::int64_t k = 0; k < options_.steps && !finish(problem, x, values, best); ++k) {
    const auto z = problem.project(x + progress.step.view({-1, 1, 1, 1}) * at.gradient.sign());
    const auto moved = k == 0 ? z : problem.project(x + kMomentum * (z - x) + (1 - kMomentum) * (x - previous));
    previous = x;
    x = moved;
    at = problem.gradient(x);
    progress.rises = progress.rises + (at.values > values).to(values.scalar_type());
    values = at.values;
    const auto better = values > best.values;
    best_gradient = Problem::chosen(better, at.gradient, best_gradient);
    best.take(better, x, values);
    if (mark < marks.size() && k + 1 == marks[mark]) {
      const auto halve = stalled(progress, best.values, marks[mark] - marks[mark - 1]);
      progress.step_before = progress.step.clone();
      progress.best_before = best.values.clone();
      progress.step = torch::where(halve, progress.step / 2, progress.step);
      x = Problem::chosen(halve, best.x, x);
      at.gradient = Problem::chosen(halve, best_gradient, at.gradient);
      values = torch::where(halve, best.values, values);
      progress.rises = torch::zeros_like(values);
      ++mark;
    }
  }
  static_cast<void>(finish(problem, x, values, best));
  return best;
}

torch::Tensor Apgd::perturb(Problem& problem) const {
  auto best = search(problem, problem.clean(), torch::zeros_like(problem.sign(), torch::kBool));
  for (std::int64_t restart = 1; restart < options_.restarts && !best.finished.all().item<bool>(); ++restart) {
    const auto noise = problem.random("apgd", static_cast<std::uint64_t>(restart),
                                      [&](Rng& rng) { return rng.uniform(-problem.epsilon(), problem.epsilon()); });
    const auto other = search(problem, problem.project(problem.clean() + noise), best.finished);
    best.take(other.finished | (other.values > best.values), other.x, other.values);
    best.finished = other.finished;
  }
  return best.x;
}

}  // namespace

std::vector<AttackInfo> apgd_attacks() {
  return {attack_entry<Apgd>({.name = "apgd",
                              .help = "projected steps that shrink when they stop helping",
                              .source = "Croce, Hein 2020",
                              .cost = "restarts (steps + 1) B, fewer and some F with until-off-scale"})};
}

}  // namespace steadyiqa::attacks
