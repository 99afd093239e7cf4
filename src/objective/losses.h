// Losses between predicted scores and MOS, both [N].
#pragma once

#include "base/options.h"

#include <torch/types.h>

namespace steadyiqa::objective {

enum class LossKind { kL1, kMse, kNormInNorm, kLinearity };

struct LossOptions {
  LossKind loss = LossKind::kL1;
  double plcc_weight = 0.0;  ///< weight of 1 - PLCC over the batch, added to the loss
  double p = 1.0;            ///< norm-in-norm: norm of the difference
  double q = 2.0;            ///< norm-in-norm: norm that scores and labels are divided by
  double alpha = 1.0;        ///< norm-in-norm, linearity: weight of the loss ...
  double alpha_rho = 0.0;    ///< ... and of the loss with scores scaled by their correlation, alpha_1 in the paper
  double monotonicity_weight = 0.0;  ///< of the pairwise monotonicity term, gamma in the paper
  double side_weight = 0.1;          ///< of each output beside the score (LinearityIQA's two heads), beta in the paper
};
[[nodiscard]] const FieldTable<LossOptions>& loss_fields();

/// A loss that a scale and offset of the scores do not change: the network's own scale then means nothing.
[[nodiscard]] bool scale_free(LossKind loss);

/// 1 - Pearson correlation over the batch, in [0, 2]; eps 1e-8 on each norm, so that a constant batch gives 1, not NaN.
[[nodiscard]] torch::Tensor plcc_loss(const torch::Tensor& predictions, const torch::Tensor& mos);

/// Norm-in-norm (Li, Jiang, Jiang, ACM MM 2020, eq. 4-7, and the authors' code): both lists are centred and divided by
/// their q-norm, the loss is the p-norm of the difference to the power p over its largest value. alpha_rho weighs the
/// same with the normalised scores multiplied by their cosine with the labels. For p = q = 2 it is (1 - PLCC) / 2. One
/// image gives 0. Gradients flow through mean and norm.
[[nodiscard]] torch::Tensor norm_in_norm_loss(const torch::Tensor& predictions, const torch::Tensor& mos,
                                              const LossOptions& options);

/// Mean squared difference of the z-scores (biased standard deviation) over 4, and with alpha_rho the same with the
/// scores' z multiplied by the mean product of the two (the authors' code, loss type "linearity").
[[nodiscard]] torch::Tensor linearity_loss(const torch::Tensor& predictions, const torch::Tensor& mos,
                                           const LossOptions& options);

/// Pairs in the wrong order: R_ij = relu((s_i - s_j) sign(m_j - m_i)), their sum over N (N - 1) (1 + max R). One image
/// gives 0.
[[nodiscard]] torch::Tensor monotonicity_loss(const torch::Tensor& predictions, const torch::Tensor& mos);

/// The chosen loss plus its correlation and monotonicity terms. Throws Error(kNumeric) when shapes differ (a [N,1]
/// against [N] would silently broadcast to N x N).
[[nodiscard]] torch::Tensor score_loss(const torch::Tensor& predictions, const torch::Tensor& mos,
                                       const LossOptions& options);

/// The loss over everything a network puts out, [N,K] with the score last: score_loss of the score plus `side_weight`
/// times that of each other column.
[[nodiscard]] torch::Tensor outputs_loss(const torch::Tensor& outputs, const torch::Tensor& mos,
                                         const LossOptions& options);

}  // namespace steadyiqa::objective
