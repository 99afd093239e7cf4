// Layers at the least cost in time and memory, under forward-mode differentiation, too.
#pragma once

#include "models/conv_norm.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

namespace steadyiqa::models {

/// torch::nn::Conv2d. Its tangent is the convolution of the input's tangent; libtorch's own adds the input's with a
/// weight of zeros, forward and backward, for weights that have no tangent.
class ConvolutionImpl : public torch::nn::Conv2dImpl {
 public:
  using torch::nn::Conv2dImpl::Conv2dImpl;
  torch::Tensor forward(const torch::Tensor& x);
};
TORCH_MODULE(Convolution);
/// Its BatchNorm.
[[nodiscard]] ConvNorm norm_of(const Convolution& convolution);

/// max(x, 0) and min(max(x, 0), 6), elementwise; the gradient is 0 at both ends. `x` is used up: its memory may hold
/// the result. Under forward-mode differentiation libtorch's own in-place forms copy the tangents and add up zeros in
/// their backward passes, and before version 2 its ReLU6 has no backward pass in bfloat16 and keeps a copy of its input
/// for the one in float32; these do neither.
[[nodiscard]] torch::Tensor apply_relu(torch::Tensor x);
[[nodiscard]] torch::Tensor apply_relu6(torch::Tensor x);

/// apply_relu6 as a layer of a Sequential.
class Relu6Impl : public torch::nn::Module {
 public:
  torch::Tensor forward(torch::Tensor x);
};
TORCH_MODULE(Relu6);

}  // namespace steadyiqa::models
