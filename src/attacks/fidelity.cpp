#include "attacks/fidelity.h"

#include "base/error.h"
#include "image/fidelity.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

/// image::ssim_means of each plane, [B,1,H,W] in float64 -> [B,1,H-10,W-10].
torch::Tensor means_of_planes(const torch::Tensor& planes) {
  const auto in = planes.contiguous();
  const auto height = in.size(2);
  const auto width = in.size(3);
  auto out =
      torch::empty({in.size(0), 1, height - image::kSsimWindow + 1, width - image::kSsimWindow + 1}, in.options());
  at::parallel_for(0, in.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const auto plane = static_cast<std::size_t>(height * width);
      const auto means = static_cast<std::size_t>(out.size(2) * out.size(3));
      image::ssim_means({in.data_ptr<double>() + b * in.stride(0), plane}, static_cast<int>(width),
                        static_cast<int>(height), {out.data_ptr<double>() + b * out.stride(0), means});
    }
  });
  return out;
}

/// Local means with their gradient: libtorch's convolution of float64 unfolds its input, ten times as slow.
class LocalMeans : public torch::autograd::Function<LocalMeans> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* /*context*/, const torch::Tensor& planes) {
    return means_of_planes(planes);
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* /*context*/,
                                               const torch::autograd::tensor_list& gradients) {
    constexpr std::int64_t kReach = image::kSsimWindow - 1;  // the window is symmetric
    return {means_of_planes(torch::constant_pad_nd(gradients[0], {kReach, kReach, kReach, kReach}))};
  }
};

}  // namespace

torch::Tensor luma(const torch::Tensor& pixels) {
  return 0.299 * pixels.slice(1, 0, 1) + 0.587 * pixels.slice(1, 1, 2) + 0.114 * pixels.slice(1, 2, 3);
}

torch::Tensor ssim(const torch::Tensor& x, const torch::Tensor& y) {
  constexpr double kC1 = 0.01 * 0.01;
  constexpr double kC2 = 0.03 * 0.03;
  STEADYIQA_ASSERT(x.dim() == 4 && x.sizes().equals(y.sizes()), "SSIM compares tensors of one shape");
  if (x.size(2) < image::kSsimWindow || x.size(3) < image::kSsimWindow) {
    fail_input("{}x{} pixels is too small for SSIM: at least {} a side", x.size(3), x.size(2), image::kSsimWindow);
  }
  const auto a = luma(x.to(torch::kFloat64));
  const auto b = luma(y.to(torch::kFloat64));
  const auto means = LocalMeans::apply(torch::cat({a, b, a * a, b * b, a * b})).chunk(5);
  const auto& mean_a = means[0];
  const auto& mean_b = means[1];
  const auto product = mean_a * mean_b;
  const auto squares = mean_a.square() + mean_b.square();
  const auto contrast = (2 * (means[4] - product) + kC2) / (means[2] + means[3] - squares + kC2);
  const auto luminance = (2 * product + kC1) / (squares + kC1);
  return (contrast * luminance).mean({1, 2, 3}).to(x.scalar_type());
}

}  // namespace steadyiqa::attacks
