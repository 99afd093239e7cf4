// Losses between predicted scores and MOS, both [N].
#pragma once

#include "base/options.h"

#include <torch/types.h>

namespace steadyiqa::objective {

enum class LossKind { kL1, kMse };

struct LossOptions {
  LossKind loss = LossKind::kL1;
  double plcc_weight = 0.0;  ///< weight of 1 - PLCC over the batch, added to the loss
};
[[nodiscard]] const FieldTable<LossOptions>& loss_fields();

/// 1 - Pearson correlation over the batch, in [0, 2]; eps 1e-8 on each norm, so that a constant batch gives 1, not NaN.
[[nodiscard]] torch::Tensor plcc_loss(const torch::Tensor& predictions, const torch::Tensor& mos);

/// mean |p - m| or mean (p - m)^2, plus plcc_weight * plcc_loss. Throws Error(kNumeric) when shapes differ (a [N,1]
/// against [N] would silently broadcast to N x N).
[[nodiscard]] torch::Tensor score_loss(const torch::Tensor& predictions, const torch::Tensor& mos,
                                       const LossOptions& options);

}  // namespace steadyiqa::objective
