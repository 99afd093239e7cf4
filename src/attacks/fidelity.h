// Differentiable fidelity, for attacks that weigh it against the score.
#pragma once

#include <torch/types.h>

namespace steadyiqa::attacks {

/// BT.601 luma, [N,3,H,W] -> [N,1,H,W].
[[nodiscard]] torch::Tensor luma(const torch::Tensor& pixels);

/// image::ssim (Wang et al. 2004) on tensors: [N,3,H,W] in [0,1] twice -> [N], 1 = equal, differentiable by both. In
/// float64 within, because variances are differences of nearly equal means. Throws Error(kInput) for sides below 11
/// pixels.
[[nodiscard]] torch::Tensor ssim(const torch::Tensor& x, const torch::Tensor& y);

}  // namespace steadyiqa::attacks
