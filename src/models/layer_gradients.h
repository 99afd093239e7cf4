// Gradients of one backward pass that serve another.
#pragma once

#include <c10/util/intrusive_ptr.h>
#include <torch/nn/modules/conv.h>
#include <torch/types.h>

#include <vector>

namespace steadyiqa::models {

/// The convolutions of a forward pass, each with its input and, after a backward pass, the gradient of its output.
struct PassedLayers;

/// Where no layer couples images, backward passes of any two functions of a batch's scores go through the same
/// gradients of layers, those of each image times one number. NT takes two such passes of its clean scores: the input
/// gradient of their sum, and the parameter gradient of the loss and the penalty. While this lives, the convolutions
/// (models/layers.h) that run are kept out of the parameters' graph; the backward pass of the input gradient leaves
/// their outputs' gradients here, and `joined` makes parameter gradients of them. That saves a third of the second
/// pass, and holds the gradients of all layers meanwhile.
class KeptLayerGradients {
 public:
  KeptLayerGradients();
  ~KeptLayerGradients();
  KeptLayerGradients(const KeptLayerGradients&) = delete;
  KeptLayerGradients& operator=(const KeptLayerGradients&) = delete;
  KeptLayerGradients(KeptLayerGradients&&) = delete;
  KeptLayerGradients& operator=(KeptLayerGradients&&) = delete;

  /// The one that lives, or null: for the layers.
  [[nodiscard]] static KeptLayerGradients* active();
  [[nodiscard]] torch::Tensor convolve(const torch::Tensor& x, const torch::nn::Conv2dImpl& convolution);

  /// The same scores [N] with a graph to all `parameters`. `scores` come of one forward pass while this lived, and
  /// the gradient of their sum has been taken, its graph retained. BatchNorm is folded or by running statistics.
  [[nodiscard]] torch::Tensor joined(const torch::Tensor& scores, const std::vector<torch::Tensor>& parameters) const;

 private:
  c10::intrusive_ptr<PassedLayers> layers_;
};

}  // namespace steadyiqa::models
