#include "objective/losses.h"

#include <torch/torch.h>

namespace steadyiqa::objective {

const FieldTable<LossOptions>& loss_fields() {
  static const FieldTable<LossOptions> kFields = {
      field("loss", &LossOptions::loss, {"l1", "mse"}, {.help = "loss between score and MOS"}),
      field("plcc-weight", &LossOptions::plcc_weight,
            {.help = "weight of the correlation term 1 - PLCC over the batch", .unit = "label points", .min = 0}),
  };
  return kFields;
}

torch::Tensor plcc_loss(const torch::Tensor& predictions, const torch::Tensor& mos) {
  constexpr double kEps = 1e-8;
  const auto p = predictions - predictions.mean();
  const auto m = mos - mos.mean();
  return 1.0 - (p * m).sum() / ((p.norm() + kEps) * (m.norm() + kEps));
}

torch::Tensor score_loss(const torch::Tensor& predictions, const torch::Tensor& mos, const LossOptions& options) {
  if (predictions.dim() != 1 || !predictions.sizes().equals(mos.sizes())) {
    throw Error(ErrorKind::kNumeric, "loss: predictions and MOS must both be [N]");
  }
  const auto difference = predictions - mos;
  auto loss = options.loss == LossKind::kL1 ? difference.abs().mean() : difference.square().mean();
  if (options.plcc_weight > 0.0 && predictions.numel() > 1) {
    loss = loss + options.plcc_weight * plcc_loss(predictions, mos);
  }
  return loss;
}

}  // namespace steadyiqa::objective
