// A Sequential that may stand inside another one.
#pragma once

#include <torch/nn/modules/container/sequential.h>
#include <torch/types.h>

#include <utility>

namespace steadyiqa::models {

/// torch::nn::Sequential's forward is a template, which another Sequential cannot hold; this one takes and gives one
/// tensor.
class StackImpl : public torch::nn::SequentialImpl {
 public:
  using torch::nn::SequentialImpl::SequentialImpl;
  torch::Tensor forward(torch::Tensor x) { return torch::nn::SequentialImpl::forward(std::move(x)); }
};
TORCH_MODULE(Stack);

}  // namespace steadyiqa::models
