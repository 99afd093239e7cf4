// What the transformers of MANIQA share: multi-head attention over tokens, the two-layer perceptron, channel attention.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>

namespace steadyiqa::models {

/// Self-attention of `heads` heads (Vaswani et al. 2017) with fused query, key, value: keys qkv, proj.
class AttentionImpl : public torch::nn::Module {
 public:
  AttentionImpl(std::int64_t dim, std::int64_t heads);
  /// x: [B,N,dim]. `bias` is added before the softmax: undefined, or [W,heads,N,N] (or what broadcasts to it) with item
  /// b of the batch taking row b mod W.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& bias = {});

 private:
  std::int64_t heads_;
  torch::nn::Linear qkv_, proj_;
};
TORCH_MODULE(Attention);

/// Linear, exact GELU, linear: keys fc1, fc2.
class MlpImpl : public torch::nn::Module {
 public:
  MlpImpl(std::int64_t dim, std::int64_t hidden);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  torch::nn::Linear fc1_, fc2_;
};
TORCH_MODULE(Mlp);

/// MANIQA's transposed attention block: attention between channels, each a vector of `places` values. x: [B,C,places],
/// returned with the attention's answer added. That answer is transposed to [B,places,C] and its buffer then read as
/// [B,C,places] again: a scramble, no transpose back, and the published weights were trained with it. Keys c_q, c_k,
/// c_v.
class ChannelAttentionImpl : public torch::nn::Module {
 public:
  explicit ChannelAttentionImpl(std::int64_t places);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  std::int64_t places_;
  torch::nn::Linear q_, k_, v_;
  torch::nn::Dropout drop_;
};
TORCH_MODULE(ChannelAttention);

}  // namespace steadyiqa::models
