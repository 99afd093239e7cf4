// The perceptual attack of Zhang et al.: a change of the score against a distance that tells what people see.
// White-box.
#pragma once

#include "attacks/catalogue.h"

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace steadyiqa::attacks {

/// D
enum class PerceptualDistance {
  kSsim,   ///< 1 - SSIM of luma
  kLinf,   ///< largest change, [0,1] pixels (Chebyshev)
  kLpips,  ///< models/feature_distance.h; weights are the user's
  kDists
};

/// How lambda is found. For linf a search cuts each step at the distance besides: no lambda would keep it.
enum class LambdaSearch {
  kBisection,  ///< of its logarithm, for each item on its own: the largest that stays within the distance
  kGrid,       ///< evenly spread logarithms; the best within the distance
  kFixed
};

enum class PerceptualVariant {
  kPaper,    ///< steps of steepest ascent: the sign for linf, the normalised gradient for the others
  kOfficial  ///< the authors' code: Adam made anew for each step, noise of {-1,0} levels, with ssim and linf two 5x5
             ///< corners never moved
};

struct PerceptualOptions {
  PerceptualDistance distance = PerceptualDistance::kSsim;
  LambdaSearch search = LambdaSearch::kBisection;
  std::int64_t trials = 8;
  std::string weights{};    ///< lpips, dists: path of their weights (checkpoint/feature_distance_file.h)
  std::string trunk{};      ///< path of the trunk's, where `weights` has none
  double max_distance = 0;  ///< 0 = 0.01, for linf 4/255
  double lambda = 1e-3;
  std::int64_t steps = 200;
  double step_size = 0;  ///< 0 = 1e-3, official 5e-3
  PerceptualVariant variant = PerceptualVariant::kPaper;
};

/// The objective is lambda * change^2 - D with the change in points of 0-100, counted negative against the direction
/// (their square pushes either way). The paper's points go to 10: its lambda is 100 times ours. The authors' code puts
/// its lambda L on the fidelity instead: it is our 0.01 / L. Weights are read when the attack is made: Error(kUsage)
/// for lpips or dists without them or for others with them, Error(kInput) for a file that does not hold them.
[[nodiscard]] std::vector<AttackInfo> perceptual_attacks();

}  // namespace steadyiqa::attacks
