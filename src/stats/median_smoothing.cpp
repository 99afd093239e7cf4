#include "stats/median_smoothing.h"

#include "base/error.h"

#include <cmath>
#include <numbers>

namespace steadyiqa::stats {
namespace {

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

/// P(exactly k of n), 0 < p < 1.
double binomial(std::int64_t n, std::int64_t k, double p) {
  const auto log_factorial = [](std::int64_t m) { return std::lgamma(static_cast<double>(m) + 1.0); };
  return std::exp(log_factorial(n) - log_factorial(k) - log_factorial(n - k) + static_cast<double>(k) * std::log(p) +
                  static_cast<double>(n - k) * std::log1p(-p));
}

/// The largest m for which at least m of n fall below a quantile p with the confidence: P(Binomial(n, p) < m) <= 1 -
/// confidence; 0 where there is none.
std::int64_t surely_below(std::int64_t n, double p, double confidence) {
  double less = 0;  // P(Binomial < m)
  std::int64_t m = 0;
  while (m < n) {
    less += binomial(n, m, p);
    if (less > 1.0 - confidence) {
      break;
    }
    ++m;
  }
  return m;
}

}  // namespace

std::optional<OrderStatistics> certified_order_statistics(std::int64_t samples, double radius, double sigma,
                                                          double confidence) {
  if (samples < 1 || !(radius >= 0) || !(sigma > 0) || !(confidence > 0 && confidence < 1)) {
    fail_usage("median smoothing: {} samples, radius {}, sigma {}, confidence {} are out of range", samples, radius,
               sigma, confidence);
  }
  const double p = normal_cdf(-radius / sigma);
  if (p <= 0) {
    return std::nullopt;
  }
  // By symmetry as many lie above the upper quantile as below the lower one.
  const auto low = surely_below(samples, p, confidence);
  if (low < 1) {
    return std::nullopt;
  }
  return OrderStatistics{low, samples + 1 - low};
}

}  // namespace steadyiqa::stats
