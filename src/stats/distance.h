// Distances between two samples of scores, their sizes may differ, and the gains of MSU's benchmark.
// All throw Error(kNumeric) on NaN/Inf or an empty list.
#pragma once

#include <span>

namespace steadyiqa::stats {

/// Wasserstein-1 distance of the empirical distributions, in score points, as scipy.stats.wasserstein_distance.
[[nodiscard]] double wasserstein_distance(std::span<const double> a, std::span<const double> b);
/// Energy distance, sqrt(2 E|X-Y| - E|X-X'| - E|Y-Y'|), as scipy.stats.energy_distance.
[[nodiscard]] double energy_distance(std::span<const double> a, std::span<const double> b);

/// MSU's gains (MSU_Metrics_Robustness_Benchmark, score_methods.py): scores scaled to [0,1] by the smallest and largest
/// clean score. NaN where the clean scores are constant.
struct Gains {
  double absolute = 0;  ///< mean of a - s
  double relative = 0;  ///< mean of (a - s) / (s + 1)
};
[[nodiscard]] Gains msu_gains(std::span<const double> clean, std::span<const double> attacked);

/// Mean height of the curve through (0,0) and the points, straight lines between, from 0 to the last x:
/// (1/x_n) * integral. x: positive, rising. Our form of the integral robustness score, with y the mean |score change|
/// of 100 points at budget x: lower is better.
[[nodiscard]] double integral_score(std::span<const double> x, std::span<const double> y);

}  // namespace steadyiqa::stats
