#include "attacks/fidelity.h"

#include "base/error.h"

#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

constexpr std::int64_t kWindow = 11;

/// Gaussian-weighted mean (sigma 1.5) at every position where the window lies inside, [B,1,H,W] -> [B,1,H-10,W-10].
torch::Tensor blur(const torch::Tensor& planes) {
  constexpr double kSigma = 1.5;
  const auto offset = torch::arange(kWindow, planes.options()) - (kWindow / 2);
  const auto weight = (offset.square() / (-2 * kSigma * kSigma)).exp();
  const auto kernel = weight / weight.sum();
  return torch::conv2d(torch::conv2d(planes, kernel.view({1, 1, -1, 1})), kernel.view({1, 1, 1, -1}));
}

}  // namespace

torch::Tensor luma(const torch::Tensor& pixels) {
  return 0.299 * pixels.slice(1, 0, 1) + 0.587 * pixels.slice(1, 1, 2) + 0.114 * pixels.slice(1, 2, 3);
}

torch::Tensor ssim(const torch::Tensor& x, const torch::Tensor& y) {
  constexpr double kC1 = 0.01 * 0.01;
  constexpr double kC2 = 0.03 * 0.03;
  STEADYIQA_ASSERT(x.dim() == 4 && x.sizes().equals(y.sizes()), "SSIM compares tensors of one shape");
  if (x.size(2) < kWindow || x.size(3) < kWindow) {
    fail_input("{}x{} pixels is too small for SSIM: at least {} a side", x.size(3), x.size(2), kWindow);
  }
  const auto a = luma(x.to(torch::kFloat64));
  const auto b = luma(y.to(torch::kFloat64));
  const auto means = blur(torch::cat({a, b, a * a, b * b, a * b})).chunk(5);
  const auto& mean_a = means[0];
  const auto& mean_b = means[1];
  const auto product = mean_a * mean_b;
  const auto squares = mean_a.square() + mean_b.square();
  const auto contrast = (2 * (means[4] - product) + kC2) / (means[2] + means[3] - squares + kC2);
  const auto luminance = (2 * product + kC1) / (squares + kC1);
  return (contrast * luminance).mean({1, 2, 3}).to(x.scalar_type());
}

}  // namespace steadyiqa::attacks
