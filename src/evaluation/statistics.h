// What a set's numbers are worth: intervals, paired differences, curves over budgets, the theory measured. From results
// alone.
#pragma once

#include "evaluation/result.h"
#include "evaluation/result_store.h"
#include "stats/bootstrap.h"
#include "stats/distance.h"

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <vector>

namespace steadyiqa::evaluation {

/// A measure on calibrated scores: srocc_clean, plcc_clean, srocc_attacked, plcc_attacked, change_mean,
/// change_share_of_spread or r_natural.
struct Estimate {
  std::string name;
  double value = 0;
  stats::Interval interval{};  ///< bootstrap over images
};

/// NaN where a measure is not defined (images without rating, constant scores).
[[nodiscard]] std::vector<Estimate> estimates(const Evaluation& evaluation,
                                              const stats::BootstrapOptions& options = {});
/// `other` minus `base`, images drawn in pairs. Throws Error(kUsage) when they are not of the same images.
[[nodiscard]] std::vector<Estimate> differences(const Evaluation& base, const Evaluation& other,
                                                const stats::BootstrapOptions& options = {});

/// How far an attack moves the whole distribution of scores.
struct DistributionChange {
  stats::Gains gains{};    ///< MSU's
  double wasserstein = 0;  ///< points
  double energy = 0;       ///< sqrt(points)
};
[[nodiscard]] DistributionChange distribution_change(const Evaluation& evaluation);

/// One attack over its budgets.
struct Curve {
  std::string attack;           ///< with direction and unit
  nlohmann::json parameters;    ///< of the attack
  std::vector<double> epsilon;  ///< rising
  std::vector<double> srocc;    ///< attacked score to MOS
  std::vector<double> change;   ///< mean |change|, points
  std::vector<double> share;    ///< of the clean spread
  double integral_score = 0;    ///< stats::integral_score of change / 100: lower is better
};
/// Of the evaluations of one model.
[[nodiscard]] std::vector<Curve> curves(std::span<const Evaluation> evaluations);

/// The paper's claim at one budget: |change| is about eps ||grad||_1.
struct TheoryAtBudget {
  double epsilon = 0;
  std::int64_t images = 0;
  double pearson = 0;  ///< of |change| of PGD (the larger direction, not rounded) with eps ||grad||_1
  double spearman = 0;
  double slope = 0;           ///< least squares through 0: 1 = linear
  double violation_rate = 0;  ///< share of (image, direction) whose change exceeds the first-order bound by over 0.1 %
  double mean_bound = 0;      ///< points, the larger direction
  double mean_change = 0;
};
/// One image at one budget.
struct TheoryPoint {
  std::string image;
  double gradient_change = 0;  ///< eps ||grad||_1, points: score_change_bound, kind first_order
  BoundRow row;
};
[[nodiscard]] std::vector<TheoryPoint> theory_points(ResultStore& store, const StoredPlan& plan, double epsilon);
/// At each of the plan's budgets that has rows.
[[nodiscard]] std::vector<TheoryAtBudget> theory(ResultStore& store, const StoredPlan& plan);

[[nodiscard]] nlohmann::json to_json(std::span<const Estimate> estimates);
[[nodiscard]] nlohmann::json to_json(const DistributionChange& change);
[[nodiscard]] nlohmann::json to_json(const Curve& curve);
[[nodiscard]] nlohmann::json to_json(const TheoryAtBudget& theory);

}  // namespace steadyiqa::evaluation
