// Differentiable ranks.
#pragma once

#include <span>
#include <vector>

namespace steadyiqa::stats {

/// Soft ranks of Blondel, Teboul, Berthet, Djolonga (ICML 2020), l2 regularisation: the projection of values / beta
/// onto the permutahedron of (1, ..., n), ascending: with beta -> 0 the smallest value has rank 1. The sum is n (n + 1)
/// / 2.
class SoftRank {
 public:
  /// Throws Error(kNumeric) unless all are finite and beta > 0.
  explicit SoftRank(std::span<const double> values, double beta = 1.0);
  [[nodiscard]] const std::vector<double>& ranks() const { return ranks_; }
  /// The gradient by the values of a function whose gradient by the ranks is given (vector-Jacobian product).
  [[nodiscard]] std::vector<double> backward(std::span<const double> by_ranks) const;

 private:
  std::vector<std::size_t> order_;  ///< indices by falling value
  std::vector<std::size_t> block_;  ///< of each place in that order: first place of its block of equal means
  std::vector<double> ranks_;
  double beta_;
};

struct RankTargets {
  double learning_rate = 0.005;  ///< of Adam, points
  long steps = 100000;
  double beta =
      0;  ///< of the soft ranks; 0 = 1 as in the paper, or ten times the mean distance between neighbours where
          ///< that is more: ranks of scores that lie further apart than beta are hard and have no gradient
  double spread = 1e-4;    ///< weight of the targets' variance, which is wanted large
  double distance = 1e-4;  ///< weight of their mean squared distance from the scores, wanted large too
};

/// The scores to aim at so that the rank correlation with `scores` (0-100) falls most: soft SROCC minimised by Adam
/// from scores + noise of .01, clamped to 0-100 (SMA, Yang et al., arXiv 2404.13277, stage 1). `seed` of the noise.
[[nodiscard]] std::vector<double> decorrelated_targets(std::span<const double> scores, const RankTargets& options,
                                                       unsigned long seed);

}  // namespace steadyiqa::stats
