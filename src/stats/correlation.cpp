#include "stats/correlation.h"

#include "stats/check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

namespace steadyiqa::stats {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Pearson's correlation of checked lists.
double pearson(std::span<const double> a, std::span<const double> b) {
  if (is_constant(a) || is_constant(b)) {
    return kNone;
  }
  // Deviations from the mean at scale 1, so that squares neither overflow nor vanish.
  const auto deviations = [](std::span<const double> values) {
    std::vector<double> scaled(values.begin(), values.end());
    const auto rescale = [&scaled] {
      const double largest = std::abs(*std::ranges::max_element(scaled, {}, [](double v) { return std::abs(v); }));
      std::ranges::transform(scaled, scaled.begin(), [largest](double v) { return v / largest; });
    };
    rescale();
    const double centre = std::reduce(scaled.begin(), scaled.end()) / static_cast<double>(scaled.size());
    std::ranges::transform(scaled, scaled.begin(), [centre](double v) { return v - centre; });
    rescale();
    return scaled;
  };
  const std::vector<double> da = deviations(a);
  const std::vector<double> db = deviations(b);
  const double ab = std::inner_product(da.begin(), da.end(), db.begin(), 0.0);
  const double aa = std::inner_product(da.begin(), da.end(), da.begin(), 0.0);
  const double bb = std::inner_product(db.begin(), db.end(), db.begin(), 0.0);
  return std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
}

/// Pairs within runs of equal neighbours: the sum of t (t - 1) / 2.
template <class Equal>
std::int64_t tied_pairs(std::size_t count, Equal equal) {
  std::int64_t pairs = 0;
  std::int64_t run = 0;  // earlier items of the same run
  for (std::size_t i = 1; i < count; ++i) {
    run = equal(i - 1, i) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/// Sorts `values` by bottom-up merging and counts the exchanges that an insertion sort would need.
std::int64_t sort_counting_exchanges(std::vector<double>& values) {
  std::int64_t exchanges = 0;
  std::vector<double> merged(values.size());
  for (std::size_t width = 1; width < values.size(); width *= 2) {
    for (std::size_t begin = 0; begin < values.size(); begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, values.size());
      const std::size_t end = std::min(begin + 2 * width, values.size());
      std::size_t left = begin;
      std::size_t right = middle;
      for (std::size_t out = begin; out < end; ++out) {
        if (left < middle && (right == end || values[left] <= values[right])) {
          merged[out] = values[left++];
        } else {
          exchanges += static_cast<std::int64_t>(middle - left);
          merged[out] = values[right++];
        }
      }
    }
    values.swap(merged);
  }
  return exchanges;
}

}  // namespace

std::vector<double> ranks(std::span<const double> values) {
  require_finite("ranks", values, 2);
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> result(values.size());
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) {
      ++end;
    }
    // Places begin + 1 ... end share their mean.
    const double shared = 0.5 * static_cast<double>(begin + 1 + end);
    for (std::size_t i = begin; i < end; ++i) {
      result[order[i]] = shared;
    }
  }
  return result;
}

double plcc(std::span<const double> a, std::span<const double> b) {
  require_pair("PLCC", a, b, 2);
  return pearson(a, b);
}

double srocc(std::span<const double> a, std::span<const double> b) {
  require_pair("SROCC", a, b, 2);
  return pearson(ranks(a), ranks(b));
}

double krocc(std::span<const double> a, std::span<const double> b) {
  require_pair("KROCC", a, b, 2);
  // Knight, "A computer method for calculating Kendall's tau with ungrouped data", JASA 1966: after a sort by a (ties
  // by b) the discordant pairs are the exchanges that sort b.
  std::vector<std::size_t> order(a.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(a[i], b[i]); });
  const auto same_a = [&](std::size_t i, std::size_t j) { return a[order[i]] == a[order[j]]; };
  const auto same_b = [&](std::size_t i, std::size_t j) { return b[order[i]] == b[order[j]]; };
  const auto count = static_cast<std::int64_t>(a.size());
  const std::int64_t pairs = count * (count - 1) / 2;
  const std::int64_t tied_a = tied_pairs(a.size(), same_a);
  const std::int64_t tied_both =
      tied_pairs(a.size(), [&](std::size_t i, std::size_t j) { return same_a(i, j) && same_b(i, j); });
  std::vector<double> by_a(a.size());
  std::ranges::transform(order, by_a.begin(), [&](std::size_t i) { return b[i]; });
  const std::int64_t discordant = sort_counting_exchanges(by_a);
  const std::int64_t tied_b = tied_pairs(by_a.size(), [&](std::size_t i, std::size_t j) { return by_a[i] == by_a[j]; });
  if (tied_a == pairs || tied_b == pairs) {
    return kNone;
  }
  const auto surplus = static_cast<double>(pairs - tied_a - tied_b + tied_both - 2 * discordant);
  const double norm = std::sqrt(static_cast<double>(pairs - tied_a) * static_cast<double>(pairs - tied_b));
  return std::clamp(surplus / norm, -1.0, 1.0);
}

double rmse(std::span<const double> a, std::span<const double> b) {
  require_pair("RMSE", a, b, 2);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return finite_result("RMSE", std::sqrt(sum / static_cast<double>(a.size())));
}

double mae(std::span<const double> a, std::span<const double> b) {
  require_pair("MAE", a, b, 2);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += std::abs(a[i] - b[i]);
  }
  return finite_result("MAE", sum / static_cast<double>(a.size()));
}

}  // namespace steadyiqa::stats
