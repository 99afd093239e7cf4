#include "models/conv_norm.h"

#include "base/error.h"
#include "models/network.h"

#include <torch/torch.h>

#include <utility>

namespace steadyiqa::models {

namespace {

constexpr double kEpsilon = 1e-5;  // of the variance
constexpr double kMomentum = 0.1;  // of a batch in the running statistics

}  // namespace

ConvNormImpl::ConvNormImpl(torch::nn::Conv2d conv) : conv_(std::move(conv)) {
  const auto channels = conv_->options.out_channels();
  weight_ = register_parameter("weight", torch::empty(channels));
  bias_ = register_parameter("bias", torch::empty(channels));
  running_mean_ = register_buffer("running_mean", torch::empty(channels));
  running_var_ = register_buffer("running_var", torch::empty(channels));
  num_batches_tracked_ = register_buffer("num_batches_tracked", torch::zeros({}, torch::kInt64));
  reset_parameters();
}

void ConvNormImpl::reset_parameters() {
  const torch::NoGradGuard no_grad;
  weight_.fill_(1);
  bias_.zero_();
  running_mean_.zero_();
  running_var_.fill_(1);
  num_batches_tracked_.zero_();
}

torch::Tensor ConvNormImpl::forward(const torch::Tensor& x) {
  if (folded_) {
    return x;
  }
  const bool by_batch = is_training();
  if (by_batch && keeps_statistics_) {
    num_batches_tracked_.add_(1);
  }
  const bool running = !by_batch || keeps_statistics_;
  return torch::batch_norm(x, weight_, bias_, running ? running_mean_ : torch::Tensor(),
                           running ? running_var_ : torch::Tensor(), by_batch, kMomentum, kEpsilon,
                           at::globalContext().userEnabledCuDNN());
}

ConvNormImpl::State ConvNormImpl::exchange(const State& state) {
  const auto before = this->state();
  folded_ = state.folded;
  train(state.training);
  keeps_statistics_ = state.keeps_statistics;
  return before;
}

void ConvNormImpl::fold() {
  conv_weight_ = conv_->weight;
  conv_bias_ = conv_->bias;
  const auto wide = [](const torch::Tensor& tensor) { return tensor.to(torch::kFloat64); };
  const auto scale = wide(weight_) / (wide(running_var_) + kEpsilon).sqrt();
  const auto offset = conv_bias_.defined() ? wide(conv_bias_) - wide(running_mean_) : -wide(running_mean_);
  // The registered parameters are other handles: the module's state does not see these.
  conv_->weight = conv_weight_ * scale.view({-1, 1, 1, 1}).to(conv_weight_.scalar_type());
  conv_->bias = (wide(bias_) + scale * offset).to(conv_weight_.scalar_type());
  folded_ = true;
}

void ConvNormImpl::unfold() {
  conv_->weight = std::exchange(conv_weight_, {});
  conv_->bias = std::exchange(conv_bias_, {});
  folded_ = false;
}

namespace {

/// Those of the module that `wanted` names.
template <class Wanted>
std::vector<ConvNorm> norms_of(const torch::nn::Module& module, const Wanted& wanted) {
  std::vector<ConvNorm> norms;
  for (const auto& child : module.modules(/*include_self=*/false)) {
    auto norm = std::dynamic_pointer_cast<ConvNormImpl>(child);
    if (norm != nullptr && wanted(*norm)) {
      norms.emplace_back(std::move(norm));
    }
  }
  return norms;
}

}  // namespace

FoldedBatchNorm::FoldedBatchNorm(torch::nn::Module& module)
    : folded_(norms_of(module, [](const ConvNormImpl& norm) { return !norm.folded_; })) {
  STEADYIQA_ASSERT(!batch_norm_training(module), "BatchNorm is folded in eval mode only");
  for (auto& norm : folded_) {
    norm->fold();
  }
}

FoldedBatchNorm::~FoldedBatchNorm() {
  for (auto& norm : folded_) {
    norm->unfold();
  }
}

UnfoldedBatchNorm::UnfoldedBatchNorm(torch::nn::Module& module)
    : unfolded_(norms_of(module, [](const ConvNormImpl& norm) { return norm.folded_; })) {
  for (auto& norm : unfolded_) {
    norm->unfold();
  }
}

UnfoldedBatchNorm::~UnfoldedBatchNorm() {
  const torch::NoGradGuard no_grad;
  for (auto& norm : unfolded_) {
    norm->fold();
  }
}

}  // namespace steadyiqa::models
