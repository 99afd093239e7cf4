// Which parts of an image are scored, and how their scores become one.
#pragma once

#include "base/options.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace steadyiqa::image {

enum class CropKind {
  kGrid,      ///< n x n places from edge to edge; each different place once
  kRandom,    ///< places derive from seed, index and image size only
  kCentre,    ///< one, in the middle
  kWhole,     ///< no crop: the image itself, for networks that take any size
  kUniform,   ///< pyiqa's grid: step = free / floor(sqrt n), ceil(sqrt n) places a side, row by row, the first n
  kNumpy,     ///< numpy.random.seed(seed), then for each crop randint(0, free) for the top, then for the left (MANIQA)
  kFivePoint  ///< the first n of: top left, top right, bottom left, bottom right, middle
};

enum class Pooling {
  kMean,     ///< of the crops' scores
  kWeighted  ///< one weighted mean over all tokens of all crops (Network::forward_weighted; pyiqa's MANIQA)
};

struct CropPolicy {
  CropKind kind = CropKind::kGrid;
  std::int64_t count = 9;  ///< how many; a square number for a grid, at most 5 for five-point, unused for centre, whole
  std::int64_t seed = 919;  ///< of random and numpy crops
  Pooling pooling = Pooling::kMean;
};
[[nodiscard]] const FieldTable<CropPolicy>& crop_policy_fields();

/// Throws Error(kUsage) for a count or seed that the kind cannot have.
void check(const CropPolicy& policy);

/// Upper-left corners (y, x) of the policy's crops of side `crop` in a height x width image (both >= crop); not for
/// kWhole.
[[nodiscard]] std::vector<std::pair<std::int64_t, std::int64_t>> crop_places(const CropPolicy& policy,
                                                                             std::int64_t crop, std::int64_t height,
                                                                             std::int64_t width);

}  // namespace steadyiqa::image
