// BatchNorm that can be folded into the convolution before it.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/types.h>

#include <vector>

namespace steadyiqa::models {

/// As torch::nn::BatchNorm2d with its defaults (state names, order of parameters, values), of a convolution's output.
/// libtorch exports too little of that class to derive from it.
class ConvNormImpl : public torch::nn::Module {
 public:
  /// `conv`'s output goes here and nowhere else.
  explicit ConvNormImpl(torch::nn::Conv2d conv);
  torch::Tensor forward(const torch::Tensor& x);
  /// To the identity.
  void reset_parameters();

  /// What a forward pass depends on beside the layer's tensors and the convolution's.
  struct State {
    bool folded = false;
    bool training = false;
    bool keeps_statistics = true;  ///< false: a batch leaves no trace in the running statistics
  };
  [[nodiscard]] State state() const { return {folded_, is_training(), keeps_statistics_}; }
  /// For a pass that runs again as before (models/activation_checkpoint.h). Returns what was. The convolution's weights
  /// are the caller's to exchange.
  State exchange(const State& state);

 private:
  friend class FoldedBatchNorm;
  friend class UnfoldedBatchNorm;
  void fold();
  void unfold();

  torch::nn::Conv2d conv_;
  torch::Tensor weight_, bias_, running_mean_, running_var_, num_batches_tracked_;
  torch::Tensor conv_weight_, conv_bias_;  ///< the convolution's own, while it is folded
  bool folded_ = false;
  bool keeps_statistics_ = true;
};
TORCH_MODULE(ConvNorm);

/// While it lives, every ConvNorm of the module is part of its convolution's weights, and costs nothing: with s =
/// weight / sqrt(running_var + eps), w' = s w and b' = bias + s (b - running_mean). Outputs and gradients are equal to
/// within float rounding; made in grad mode, it passes gradients on to the parameters, else they get none. The module's
/// state (parameters, buffers) is not touched; a change of it meanwhile, of mode included, has no effect on the folded
/// layers. BatchNorm is in eval mode (a programmer's error otherwise). What another one has folded already stays
/// folded until that one ends.
class FoldedBatchNorm {
 public:
  explicit FoldedBatchNorm(torch::nn::Module& module);
  ~FoldedBatchNorm();
  FoldedBatchNorm(const FoldedBatchNorm&) = delete;
  FoldedBatchNorm& operator=(const FoldedBatchNorm&) = delete;
  FoldedBatchNorm(FoldedBatchNorm&&) = delete;
  FoldedBatchNorm& operator=(FoldedBatchNorm&&) = delete;

 private:
  std::vector<ConvNorm> folded_;
};

/// While it lives, what is folded is not, as in the module's state: to look at its layers.
class UnfoldedBatchNorm {
 public:
  explicit UnfoldedBatchNorm(torch::nn::Module& module);
  ~UnfoldedBatchNorm();
  UnfoldedBatchNorm(const UnfoldedBatchNorm&) = delete;
  UnfoldedBatchNorm& operator=(const UnfoldedBatchNorm&) = delete;
  UnfoldedBatchNorm(UnfoldedBatchNorm&&) = delete;
  UnfoldedBatchNorm& operator=(UnfoldedBatchNorm&&) = delete;

 private:
  std::vector<ConvNorm> unfolded_;
};

}  // namespace steadyiqa::models
