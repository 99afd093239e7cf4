// Measures of what an attack did to a list of scores, and the affine calibration they are judged on.
// All throw Error(kNumeric) on NaN/Inf, unequal lengths or an empty list.
#pragma once

#include <span>

namespace steadyiqa::stats {

/// calibrated = slope * raw + intercept.
struct Affine {
  double slope = 1.0;
  double intercept = 0.0;
  [[nodiscard]] double operator()(double raw) const { return slope * raw + intercept; }
  /// This line after `first`.
  [[nodiscard]] Affine after(const Affine& first) const { return {slope * first.slope, (*this)(first.intercept)}; }
  /// The way back; the slope must not be 0.
  [[nodiscard]] Affine inverse() const { return {1.0 / slope, -intercept / slope}; }
};

/// Least-squares line from predictions to MOS (on the training set). A constant list of predictions gives slope 0 and
/// the mean MOS: such a model carries no information, and the calibrated scores show it.
[[nodiscard]] Affine fit_affine(std::span<const double> predictions, std::span<const double> mos);

[[nodiscard]] double mean(std::span<const double> values);
/// Population standard deviation (divides by n): the "spread" of predictions.
[[nodiscard]] double spread(std::span<const double> values);
/// Percentile p in [0, 100], linear interpolation as numpy.percentile.
[[nodiscard]] double percentile(std::span<const double> values, double p);

/// Mean of per-image R = log(max(b1 - s, s - b2) / |s - a|) with scale [b2, b1] = [0, 100] (Zhang et al., NeurIPS 2022,
/// eq. 6): clean score s (clipped to the scale), attacked a; |s - a| is kept above 1e-6. Higher = more robust.
struct Robustness {
  double natural = 0;  ///< natural logarithm, as the NT leaderboard's values imply
  double log10 = 0;    ///< base 10, as the TCSVT and MSU code
};
[[nodiscard]] Robustness robustness_r(std::span<const double> clean, std::span<const double> attacked);

/// |attacked - clean| over a set, in score points.
struct ScoreChange {
  double mean_absolute = 0;
  double p95_absolute = 0;
  double median_absolute = 0;
  double mean_signed = 0;
  double share_of_spread = 0;  ///< mean_absolute / spread(clean); NaN when the clean scores are constant
};
[[nodiscard]] ScoreChange score_change(std::span<const double> clean, std::span<const double> attacked);

}  // namespace steadyiqa::stats
