#include "stats/check.h"

#include "base/error.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace steadyiqa::stats {

void require_finite(std::string_view measure, std::span<const double> values, std::size_t least) {
  if (values.size() < least) {
    fail(ErrorKind::kNumeric, "{}: {} items where at least {} are needed", measure, values.size(), least);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      fail(ErrorKind::kNumeric, "{}: item {} is {}", measure, i, values[i]);
    }
  }
}

void require_pair(std::string_view measure, std::span<const double> a, std::span<const double> b, std::size_t least) {
  if (a.size() != b.size()) {
    fail(ErrorKind::kNumeric, "{}: lists of {} and {} items", measure, a.size(), b.size());
  }
  require_finite(measure, a, least);
  require_finite(measure, b, least);
}

double finite_result(std::string_view measure, double value) {
  if (!std::isfinite(value)) {
    fail(ErrorKind::kNumeric, "{}: the numbers are too large to compute it", measure);
  }
  return value;
}

bool is_constant(std::span<const double> values) {
  return std::ranges::adjacent_find(values, std::not_equal_to<>()) == values.end();
}

}  // namespace steadyiqa::stats
