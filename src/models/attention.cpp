#include "models/attention.h"

#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::models {
namespace {

constexpr double kDropout = 0.1;

double inverse_root(std::int64_t n) { return 1.0 / std::sqrt(static_cast<double>(n)); }

}  // namespace

AttentionImpl::AttentionImpl(std::int64_t dim, std::int64_t heads)
    : heads_(heads),
      qkv_(register_module("qkv", torch::nn::Linear(dim, 3 * dim))),
      proj_(register_module("proj", torch::nn::Linear(dim, dim))) {}

torch::Tensor AttentionImpl::forward(const torch::Tensor& x, const torch::Tensor& bias) {
  const auto batch = x.size(0);
  const auto tokens = x.size(1);
  const auto width = x.size(2) / heads_;
  const auto qkv = qkv_(x).view({batch, tokens, 3, heads_, width}).permute({2, 0, 3, 1, 4}).unbind(0);
  auto scores = torch::matmul(qkv[0] * inverse_root(width), qkv[1].transpose(-2, -1));
  if (bias.defined()) {
    scores = (scores.view({-1, bias.size(0), heads_, tokens, tokens}) + bias).view(scores.sizes());
  }
  const auto mixed = torch::matmul(torch::softmax(scores, -1), qkv[2]);
  return proj_(mixed.transpose(1, 2).reshape(x.sizes()));
}

MlpImpl::MlpImpl(std::int64_t dim, std::int64_t hidden)
    : fc1_(register_module("fc1", torch::nn::Linear(dim, hidden))),
      fc2_(register_module("fc2", torch::nn::Linear(hidden, dim))) {}

torch::Tensor MlpImpl::forward(const torch::Tensor& x) { return fc2_(torch::gelu(fc1_(x))); }

ChannelAttentionImpl::ChannelAttentionImpl(std::int64_t places)
    : places_(places),
      q_(register_module("c_q", torch::nn::Linear(places, places))),
      k_(register_module("c_k", torch::nn::Linear(places, places))),
      v_(register_module("c_v", torch::nn::Linear(places, places))),
      drop_(register_module("attn_drop", torch::nn::Dropout(kDropout))) {}

torch::Tensor ChannelAttentionImpl::forward(const torch::Tensor& x) {
  const auto scores = torch::matmul(q_(x), k_(x).transpose(1, 2)) * inverse_root(places_);
  const auto mixed = torch::matmul(torch::softmax(scores, -1), v_(x));
  return x + drop_(mixed.transpose(1, 2).reshape(x.sizes()));
}

}  // namespace steadyiqa::models
