// What every measure asks of its lists before it computes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace steadyiqa::stats {

/// Throws Error(kNumeric) naming the measure unless there are at least `least` items and all are finite.
void require_finite(std::string_view measure, std::span<const double> values, std::size_t least);
/// The same for two lists of equal length.
void require_pair(std::string_view measure, std::span<const double> a, std::span<const double> b, std::size_t least);
/// The result itself. Throws Error(kNumeric) when it is not finite (the numbers were too large).
[[nodiscard]] double finite_result(std::string_view measure, double value);
/// Whether all values are equal (exactly).
[[nodiscard]] bool is_constant(std::span<const double> values);

}  // namespace steadyiqa::stats
