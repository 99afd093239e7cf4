#include "stats/robustness.h"

#include "base/error.h"
#include "stats/check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

namespace steadyiqa::stats {

Affine fit_affine(std::span<const double> predictions, std::span<const double> mos) {
  require_pair("affine fit", predictions, mos, 1);
  const double x_mean = mean(predictions);
  const double y_mean = mean(mos);
  if (is_constant(predictions)) {
    return {0.0, y_mean};
  }
  double xx = 0;
  double xy = 0;
  for (std::size_t i = 0; i < mos.size(); ++i) {
    xx += (predictions[i] - x_mean) * (predictions[i] - x_mean);
    xy += (predictions[i] - x_mean) * (mos[i] - y_mean);
  }
  const double slope = finite_result("affine fit", xy / xx);
  return {slope, finite_result("affine fit", y_mean - slope * x_mean)};
}

double mean(std::span<const double> values) {
  require_finite("mean", values, 1);
  return finite_result("mean", std::reduce(values.begin(), values.end()) / static_cast<double>(values.size()));
}

double spread(std::span<const double> values) {
  require_finite("spread", values, 1);
  if (is_constant(values)) {
    return 0.0;
  }
  const double centre = mean(values);
  double sum = 0;
  for (const double value : values) {
    sum += (value - centre) * (value - centre);
  }
  return finite_result("spread", std::sqrt(sum / static_cast<double>(values.size())));
}

double percentile(std::span<const double> values, double p) {
  require_finite("percentile", values, 1);
  if (!(p >= 0 && p <= 100)) {
    fail(ErrorKind::kNumeric, "percentile {} is not between 0 and 100", p);
  }
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const double place = p / 100.0 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - std::floor(place));
}

Robustness robustness_r(std::span<const double> clean, std::span<const double> attacked) {
  require_pair("R", clean, attacked, 1);
  constexpr double kLow = 0.0;
  constexpr double kHigh = 100.0;
  constexpr double kSmallest = 1e-6;
  double sum = 0;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const double score = std::clamp(clean[i], kLow, kHigh);
    const double possible = std::max(kHigh - score, score - kLow);
    sum += std::log(possible / std::max(std::abs(score - attacked[i]), kSmallest));
  }
  const double natural = sum / static_cast<double>(clean.size());
  return {natural, natural / std::numbers::ln10};
}

ScoreChange score_change(std::span<const double> clean, std::span<const double> attacked) {
  require_pair("score change", clean, attacked, 1);
  std::vector<double> change(clean.size());
  std::ranges::transform(attacked, clean, change.begin(), std::minus<>());
  ScoreChange result;
  result.mean_signed = mean(change);
  std::ranges::transform(change, change.begin(), [](double v) { return std::abs(v); });
  result.mean_absolute = mean(change);
  result.p95_absolute = percentile(change, 95);
  result.median_absolute = percentile(change, 50);
  const double clean_spread = spread(clean);
  result.share_of_spread =
      clean_spread > 0 ? result.mean_absolute / clean_spread : std::numeric_limits<double>::quiet_NaN();
  return result;
}

}  // namespace steadyiqa::stats
