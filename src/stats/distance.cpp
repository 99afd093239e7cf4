#include "stats/distance.h"

#include "base/error.h"
#include "stats/check.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace steadyiqa::stats {
namespace {

/// The integral over x of `height` of |F_a(x) - F_b(x)|, F the empirical distribution functions.
double integrate_cdf_difference(std::span<const double> a, std::span<const double> b,
                                const std::function<double(double)>& height) {
  std::vector<double> left(a.begin(), a.end());
  std::vector<double> right(b.begin(), b.end());
  std::ranges::sort(left);
  std::ranges::sort(right);
  std::vector<double> all(left);
  all.insert(all.end(), right.begin(), right.end());
  std::ranges::sort(all);
  const auto share_up_to = [](const std::vector<double>& sorted, double x) {
    const auto count = std::ranges::upper_bound(sorted, x) - sorted.begin();
    return static_cast<double>(count) / static_cast<double>(sorted.size());
  };
  double sum = 0;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    const double difference = std::abs(share_up_to(left, all[i]) - share_up_to(right, all[i]));
    sum += height(difference) * (all[i + 1] - all[i]);
  }
  return sum;
}

}  // namespace

double wasserstein_distance(std::span<const double> a, std::span<const double> b) {
  require_finite("Wasserstein distance", a, 1);
  require_finite("Wasserstein distance", b, 1);
  return integrate_cdf_difference(a, b, [](double difference) { return difference; });
}

double energy_distance(std::span<const double> a, std::span<const double> b) {
  require_finite("energy distance", a, 1);
  require_finite("energy distance", b, 1);
  return std::sqrt(2.0 * integrate_cdf_difference(a, b, [](double difference) { return difference * difference; }));
}

Gains msu_gains(std::span<const double> clean, std::span<const double> attacked) {
  require_pair("MSU gains", clean, attacked, 1);
  const auto [low, high] = std::ranges::minmax(clean);
  if (low == high) {
    return {std::nan(""), std::nan("")};
  }
  Gains sum;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const double before = (clean[i] - low) / (high - low);
    const double gain = (attacked[i] - clean[i]) / (high - low);
    sum.absolute += gain;
    sum.relative += gain / (before + 1.0);
  }
  const auto count = static_cast<double>(clean.size());
  return {sum.absolute / count, sum.relative / count};
}

double integral_score(std::span<const double> x, std::span<const double> y) {
  require_pair("integral score", x, y, 1);
  double area = 0;
  double before_x = 0;
  double before_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!(x[i] > before_x)) {
      fail(ErrorKind::kNumeric, "integral score: budgets must rise from above 0, {} comes after {}", x[i], before_x);
    }
    area += 0.5 * (y[i] + before_y) * (x[i] - before_x);
    before_x = x[i];
    before_y = y[i];
  }
  return area / before_x;
}

}  // namespace steadyiqa::stats
