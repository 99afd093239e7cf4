#include "objective/losses.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace steadyiqa::objective {
namespace {

constexpr double kEps = 1e-8;

torch::Tensor centred_over_norm(const torch::Tensor& x, double q) {
  const auto centred = x - x.mean();
  return centred / (kEps + centred.norm(q));
}

/// alpha * loss(z, t) + alpha_rho * loss(rho z, t) over the sum of the weights.
template <class Loss>
torch::Tensor weighted(const torch::Tensor& z, const torch::Tensor& t, const torch::Tensor& rho,
                       const LossOptions& options, Loss loss) {
  if (!(options.alpha + options.alpha_rho > 0.0)) {
    fail_usage("loss: alpha and alpha-rho must not both be 0");
  }
  auto total = options.alpha * loss(z, t);
  if (options.alpha_rho > 0.0) {
    total = total + options.alpha_rho * loss(rho * z, t);
  }
  return total / (options.alpha + options.alpha_rho);
}

torch::Tensor main_term(const torch::Tensor& predictions, const torch::Tensor& mos, const LossOptions& options) {
  switch (options.loss) {
    case LossKind::kL1:
      return (predictions - mos).abs().mean();
    case LossKind::kMse:
      return (predictions - mos).square().mean();
    case LossKind::kNormInNorm:
      return norm_in_norm_loss(predictions, mos, options);
    case LossKind::kLinearity:
      return linearity_loss(predictions, mos, options);
  }
  STEADYIQA_ASSERT(false, "every loss has its case");
  return {};
}

}  // namespace

const FieldTable<LossOptions>& loss_fields() {
  using L = LossOptions;
  static const FieldTable<L> kFields = {
      field("loss", &L::loss, {"l1", "mse", "norm-in-norm", "linearity"}, {.help = "loss between score and MOS"}),
      field("plcc-weight", &L::plcc_weight,
            {.help = "weight of the correlation term 1 - PLCC over the batch", .unit = "label points", .min = 0}),
      field("p", &L::p, {.help = "norm-in-norm: norm of the difference", .min = 0.1, .max = 10}),
      field("q", &L::q, {.help = "norm-in-norm: norm that both lists are divided by", .min = 0.1, .max = 10}),
      field("alpha", &L::alpha, {.help = "norm-in-norm, linearity: weight of the loss itself", .min = 0}),
      field("alpha-rho", &L::alpha_rho,
            {.help = "and of the loss with scores scaled by their correlation with MOS", .min = 0}),
      field("monotonicity-weight", &L::monotonicity_weight,
            {.help = "weight of the penalty on pairs in the wrong order", .min = 0}),
      field("side-weight", &L::side_weight,
            {.help = "weight of each output beside the score (linearityiqa has two)", .min = 0}),
  };
  return kFields;
}

bool scale_free(LossKind loss) { return loss == LossKind::kNormInNorm || loss == LossKind::kLinearity; }

torch::Tensor plcc_loss(const torch::Tensor& predictions, const torch::Tensor& mos) {
  const auto p = predictions - predictions.mean();
  const auto m = mos - mos.mean();
  return 1.0 - (p * m).sum() / ((p.norm() + kEps) * (m.norm() + kEps));
}

torch::Tensor norm_in_norm_loss(const torch::Tensor& predictions, const torch::Tensor& mos,
                                const LossOptions& options) {
  const auto n = static_cast<double>(predictions.numel());
  if (predictions.numel() < 2) {
    return predictions.sum() * 0.0;
  }
  const double p = options.p;
  const double q = options.q;
  const double scale = std::pow(2.0, std::max(1.0, 1.0 / q)) * std::pow(n, std::max(0.0, 1.0 / p - 1.0 / q));
  const auto z = centred_over_norm(predictions, q);
  const auto t = centred_over_norm(mos, q);
  const auto rho = torch::cosine_similarity(z, t, /*dim=*/0, kEps);
  return weighted(z, t, rho, options, [&](const torch::Tensor& a, const torch::Tensor& b) {
    const auto difference = p < 1.0 ? (a - b).abs() + kEps : a - b;  // the slope of |x|^p has no bound at 0
    return (difference.norm(p) / scale).pow(p);
  });
}

torch::Tensor linearity_loss(const torch::Tensor& predictions, const torch::Tensor& mos, const LossOptions& options) {
  if (predictions.numel() < 2) {
    return predictions.sum() * 0.0;
  }
  const auto z_score = [](const torch::Tensor& x) { return (x - x.mean()) / (kEps + x.std(/*unbiased=*/false)); };
  const auto z = z_score(predictions);
  const auto t = z_score(mos);
  return weighted(z, t, (z * t).mean(), options,
                  [](const torch::Tensor& a, const torch::Tensor& b) { return (a - b).square().mean() / 4.0; });
}

torch::Tensor monotonicity_loss(const torch::Tensor& predictions, const torch::Tensor& mos) {
  const auto n = static_cast<double>(predictions.numel());
  if (predictions.numel() < 2) {
    return predictions.sum() * 0.0;
  }
  const auto higher = (mos.unsqueeze(0) - mos.unsqueeze(1)).sign();  // [i,j]: sign(m_j - m_i)
  const auto wrong = torch::relu((predictions.unsqueeze(1) - predictions.unsqueeze(0)) * higher);
  return wrong.sum() / (n * (n - 1.0)) / (1.0 + wrong.max());
}

torch::Tensor score_loss(const torch::Tensor& predictions, const torch::Tensor& mos, const LossOptions& options) {
  if (predictions.dim() != 1 || !predictions.sizes().equals(mos.sizes())) {
    throw Error(ErrorKind::kNumeric, "loss: predictions and MOS must both be [N]");
  }
  auto loss = main_term(predictions, mos, options);
  if (options.plcc_weight > 0.0 && predictions.numel() > 1) {
    loss = loss + options.plcc_weight * plcc_loss(predictions, mos);
  }
  if (options.monotonicity_weight > 0.0) {
    loss = loss + options.monotonicity_weight * monotonicity_loss(predictions, mos);
  }
  return loss;
}

torch::Tensor outputs_loss(const torch::Tensor& outputs, const torch::Tensor& mos, const LossOptions& options) {
  const auto score = outputs.size(1) - 1;
  auto loss = score_loss(outputs.select(1, score), mos, options);
  for (std::int64_t side = 0; side < score && options.side_weight > 0.0; ++side) {
    loss = loss + options.side_weight * score_loss(outputs.select(1, side), mos, options);
  }
  return loss;
}

}  // namespace steadyiqa::objective
