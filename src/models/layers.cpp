#include "models/layers.h"

#include "models/layer_gradients.h"

#include <torch/torch.h>

#include <limits>
#include <memory>
#include <tuple>
#include <utility>

namespace steadyiqa::models {
namespace {

constexpr std::uint64_t kLevel = 0;  // libtorch has one level of forward-mode differentiation
// The ceiling of ReLU and of ReLU6.
constexpr double kNone = std::numeric_limits<double>::infinity();
constexpr double kSix = 6;

/// `flow` (a gradient or a tangent) where 0 < y < ceiling, else 0.
torch::Tensor passed(const torch::Tensor& flow, const torch::Tensor& y, double ceiling) {
  if (ceiling == kNone) {
    return torch::threshold_backward(flow, y, 0);
  }
  if (y.scalar_type() == torch::kFloat32) {
    return torch::hardtanh_backward(flow, y, 0, ceiling);
  }
  return torch::threshold_backward(torch::threshold_backward(flow, y, 0), ceiling - y, 0);
}

torch::Tensor clipped(const torch::Tensor& x, double ceiling) {
  return ceiling == kNone ? torch::relu(x) : torch::relu6(x);
}

/// Keeps its output alone for the backward pass.
class Clipped : public torch::autograd::Function<Clipped> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x, double ceiling) {
    auto y = clipped(x, ceiling);
    context->save_for_backward({y});
    context->saved_data["ceiling"] = ceiling;
    return y;
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& of_y) {
    const auto y = context->get_saved_variables().front().detach();
    return {passed(of_y.front(), y, context->saved_data["ceiling"].toDouble()), {}};
  }
};

torch::Tensor activated(torch::Tensor x, double ceiling) {
  if (x._fw_grad(kLevel).defined()) {
    const auto [primal, tangent] = at::_unpack_dual(x, kLevel);
    const auto y = Clipped::apply(primal, ceiling);
    return at::_make_dual(y, passed(tangent, y.detach(), ceiling), kLevel);
  }
  if (ceiling == kNone) {
    return x.relu_();
  }
  return torch::GradMode::is_enabled() && x.requires_grad() ? Clipped::apply(x, ceiling) : torch::relu6_(x);
}

}  // namespace

torch::Tensor ConvolutionImpl::forward(const torch::Tensor& x) {
  if (auto* kept = KeptLayerGradients::active()) {
    return kept->convolve(x, *this);
  }
  if (!x._fw_grad(kLevel).defined()) {
    return torch::nn::Conv2dImpl::forward(x);
  }
  const auto [primal, tangent] = at::_unpack_dual(x, kLevel);
  const auto& o = options;
  const auto along =
      torch::nn::functional::detail::conv2d(tangent, weight, {}, o.stride(), o.padding(), o.dilation(), o.groups());
  return at::_make_dual(torch::nn::Conv2dImpl::forward(primal), along, kLevel);
}

ConvNorm norm_of(const Convolution& convolution) {
  const std::shared_ptr<torch::nn::Conv2dImpl> plain = convolution.ptr();
  return ConvNorm(torch::nn::Conv2d(plain));
}

torch::Tensor apply_relu(torch::Tensor x) { return activated(std::move(x), kNone); }

torch::Tensor apply_relu6(torch::Tensor x) { return activated(std::move(x), kSix); }

torch::Tensor Relu6Impl::forward(torch::Tensor x) { return apply_relu6(std::move(x)); }

}  // namespace steadyiqa::models
