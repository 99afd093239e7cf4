// stAdv: pixels are moved instead of changed. White-box.
#pragma once

#include "attacks/catalogue.h"

#include <torch/types.h>

#include <vector>

namespace steadyiqa::attacks {

/// Each pixel from where `flow` points: [N,C,H,W] and [N,2,H,W] (down, right; in pixels) -> [N,C,H,W] at the flow's
/// precision, bilinear, positions outside go to the border. Differentiable by the flow.
[[nodiscard]] torch::Tensor warp(const torch::Tensor& pixels, const torch::Tensor& flow);

[[nodiscard]] std::vector<AttackInfo> stadv_attacks();

}  // namespace steadyiqa::attacks
