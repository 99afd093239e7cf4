// The attack of Korhonen and You: Adam on the pixels where the image is busy. White-box; on another model's gradient it
// is their transfer attack.
#pragma once

#include "attacks/catalogue.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace steadyiqa::attacks {

/// What the spatial activity map is multiplied with.
enum class ActivityMask {
  kUpdate,   ///< Adam's step: the change follows the map, which is what the map is meant for
  kGradient  ///< the gradient, as their code does: Adam undoes a constant factor, so that only pixels of almost no
             ///< activity are spared
};

struct KorhonenOptions {
  double rate = 2.0;  ///< of Adam, grey levels of 255
  std::int64_t min_steps = 20;
  std::int64_t max_steps = 100;
  ActivityMask mask = ActivityMask::kUpdate;
};

/// [N,3,H,W] -> [N,1,H,W] in [0,1]: squared Sobel gradient of luma, 0 at the border, divided by its largest, dilated by
/// a 5x5 disc; 1 everywhere where there is no activity at all (Korhonen, You 2022, their makeSpatialActivityMap).
[[nodiscard]] torch::Tensor spatial_activity(const torch::Tensor& pixels);

/// The search, on whatever model the problem is of: for each item the best image that it came by. It ends for an item
/// after max_steps, or after two steps in a row that were not better, min_steps at least.
[[nodiscard]] torch::Tensor korhonen_search(Problem& problem, const KorhonenOptions& options);

[[nodiscard]] std::vector<AttackInfo> korhonen_attacks();

}  // namespace steadyiqa::attacks
