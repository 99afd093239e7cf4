// Median smoothing: how far the median of a noisy score can move when the image does (Chiang et al., "Detection as
// Regression: Certified Object Detection by Median Smoothing", NeurIPS 2020, Lemma 1 and section 3.2).
#pragma once

#include <cstdint>
#include <optional>

namespace steadyiqa::stats {

/// Places among n sorted samples, 1-based: the low-th and the high-th smallest.
struct OrderStatistics {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

/// With x + N(0, sigma^2) and ||d||_2 <= radius the median of the score at x + d lies between the Phi(-radius/sigma)
/// and Phi(radius/sigma) quantiles at x. Of n samples at x, the low-th is at most the one and the high-th at least the
/// other, each with the given confidence (exact binomial bounds). Nothing where n samples are too few for that. Throws
/// Error(kUsage) unless n >= 1, radius >= 0, sigma > 0 and confidence in (0,1).
[[nodiscard]] std::optional<OrderStatistics> certified_order_statistics(std::int64_t samples, double radius,
                                                                        double sigma, double confidence);

}  // namespace steadyiqa::stats
