// Bootstrap intervals: how far a measure of a set would move had other images of the same kind been drawn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace steadyiqa::stats {

struct Interval {
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  std::int64_t resamples = 2000;
  double confidence = 0.95;
  std::uint64_t seed = 1;
};

/// A measure of the items with these indices (an item may come more than once). NaN: not defined for these.
using Measure = std::function<double(std::span<const std::size_t> picks)>;

/// Percentile bootstrap (Efron 1979): the measure of `resamples` draws of n from n items with replacement, and the
/// percentiles that hold `confidence` of them (linear interpolation, as numpy.percentile). Resample r draws from
/// Rng(derive_seed(seed, "bootstrap", r)), so that every measure of n items sees the same draws: a measure that is the
/// difference of two models' measures gives the paired bootstrap. Draws whose measure is NaN are left out; NaN, NaN
/// when fewer than half are left. Throws Error(kUsage) for no item or options out of range.
[[nodiscard]] Interval bootstrap(std::size_t items, const Measure& measure, const BootstrapOptions& options = {});

}  // namespace steadyiqa::stats
