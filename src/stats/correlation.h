// Agreement between two lists of numbers. All throw Error(kNumeric) on NaN/Inf, unequal lengths or fewer than two
// items; a constant list has no correlation: the result is NaN, to be printed as "-" and written as null.
#pragma once

#include <array>
#include <span>
#include <vector>

namespace steadyiqa::stats {

/// Average ranks, 1-based (ties share their mean), as scipy.stats.rankdata.
[[nodiscard]] std::vector<double> ranks(std::span<const double> values);
/// Pearson's linear correlation, as scipy.stats.pearsonr.
[[nodiscard]] double plcc(std::span<const double> a, std::span<const double> b);
/// Spearman's rank correlation, as scipy.stats.spearmanr.
[[nodiscard]] double srocc(std::span<const double> a, std::span<const double> b);
/// Kendall's tau-b, as scipy.stats.kendalltau. O(n log n).
[[nodiscard]] double krocc(std::span<const double> a, std::span<const double> b);
[[nodiscard]] double rmse(std::span<const double> a, std::span<const double> b);
[[nodiscard]] double mae(std::span<const double> a, std::span<const double> b);

/// The 4-parameter logistic of VQEG / ITU-T P.1401: y = b2 + (b1 - b2) / (1 + exp(-(x - b3) / |b4|)), fitted by
/// least squares (Levenberg-Marquardt) from b1 = max y, b2 = min y, b3 = mean x, b4 = sd x / 4, and once more with b1
/// and b2 exchanged (a falling relation); the better fit is kept. Needs at least four items; a constant x gives the
/// mean of y.
struct Logistic4 {
  std::array<double, 4> b{};
  [[nodiscard]] double operator()(double x) const;
};
[[nodiscard]] Logistic4 fit_logistic4(std::span<const double> x, std::span<const double> y);
/// PLCC of the logistically mapped x with y.
[[nodiscard]] double plcc_logistic4(std::span<const double> x, std::span<const double> y);

}  // namespace steadyiqa::stats
