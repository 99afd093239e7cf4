// Trunks that give feature maps at strides 4, 8, 16 and 32, with torchvision's parameter names.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace steadyiqa::models {

/// A convolutional trunk. For a 224 x 224 input the maps are 56, 28, 14 and 7 pixels wide.
class Backbone : public torch::nn::Module {
 public:
  using Taps = std::array<torch::Tensor, 4>;
  /// x: [N,3,H,W]; returns the maps at strides 4, 8, 16, 32.
  virtual Taps forward(const torch::Tensor& x) = 0;
  [[nodiscard]] virtual std::array<std::int64_t, 4> channels() const = 0;
};

/// ResNets without pooling and classifier, torchvision's variant (the stride is in the 3x3 convolution): resnet18,
/// resnet34 (basic blocks), resnet50 (bottlenecks; He et al. 2016), resnext101_32x8d (Xie et al. 2017). nullptr for any
/// other name. Keys: conv1, bn1, layer{1..4}.{b}.{conv,bn}{1..3}, layer{L}.0.downsample.{0,1}. resnet50: 23,508,032
/// parameters.
[[nodiscard]] std::shared_ptr<Backbone> make_resnet(const std::string& name);

/// MobileNetV2 1.0 without classifier (Sandler et al. 2018). Keys: features.{0..18}.*. Taps after features 3, 6, 13 and
/// 18 (24, 32, 96, 1280 channels).
[[nodiscard]] std::shared_ptr<Backbone> make_mobilenet_v2();

/// The trunk of that name. A name that neither function above knows is a programmer's error.
[[nodiscard]] std::shared_ptr<Backbone> make_backbone(const std::string& name);

}  // namespace steadyiqa::models
