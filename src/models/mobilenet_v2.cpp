// MobileNetV2 as torchvision builds it; names and shapes match its state_dict.
#include "models/activation_checkpoint.h"
#include "models/backbones.h"
#include "models/layers.h"
#include "models/stack.h"

#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

/// Convolution, BatchNorm, ReLU6 as torchvision's ConvBNReLU: children 0 and 1 (the activation has no parameters).
Stack conv_bn(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t groups = 1) {
  const Convolution conv(
      nn::Conv2dOptions(in, out, kernel).stride(stride).padding((kernel - 1) / 2).groups(groups).bias(false));
  return Stack(conv, norm_of(conv), Relu6());
}

class InvertedResidualImpl : public nn::Module {
 public:
  InvertedResidualImpl(std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t expansion)
      : residual_(stride == 1 && in == out) {
    const std::int64_t hidden = in * expansion;
    nn::Sequential conv;
    if (expansion != 1) {
      conv->push_back(conv_bn(in, hidden, 1, 1));
    }
    conv->push_back(conv_bn(hidden, hidden, 3, stride, hidden));
    const Convolution projection(nn::Conv2dOptions(hidden, out, 1).bias(false));
    conv->push_back(projection);
    conv->push_back(norm_of(projection));
    conv_ = register_module("conv", conv);
  }
  torch::Tensor forward(const torch::Tensor& x) {
    auto y = conv_->forward(x);
    return residual_ ? y.add_(x) : y;
  }

 private:
  bool residual_;
  nn::Sequential conv_{nullptr};
};
TORCH_MODULE(InvertedResidual);

struct Stage {
  std::int64_t expansion, out, blocks, stride;
};
constexpr std::array<Stage, 7> kStages = {
    {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};
constexpr std::array<std::size_t, 4> kTapIndices = {3, 6, 13, 18};

class MobileNetV2 : public Backbone {
 public:
  MobileNetV2() {
    nn::Sequential features;
    features->push_back(conv_bn(3, 32, 3, 2));
    std::int64_t in = 32;
    for (const auto& stage : kStages) {
      for (std::int64_t block = 0; block < stage.blocks; ++block) {
        features->push_back(InvertedResidual(in, stage.out, block == 0 ? stage.stride : 1, stage.expansion));
        in = stage.out;
      }
    }
    features->push_back(conv_bn(in, 1280, 1, 1));
    features_ = register_module("features", features);
  }
  Taps forward(const torch::Tensor& x) override {
    Taps taps;
    auto y = x;
    std::size_t tap = 0;
    std::size_t index = 0;
    for (auto& layer : *features_) {
      y = run_block({layer}, y);
      if (index++ == kTapIndices.at(tap)) {
        taps.at(tap++) = y;
      }
    }
    return taps;
  }
  [[nodiscard]] std::array<std::int64_t, 4> channels() const override { return {24, 32, 96, 1280}; }

 private:
  nn::Sequential features_{nullptr};
};

}  // namespace

std::shared_ptr<Backbone> make_mobilenet_v2() { return std::make_shared<MobileNetV2>(); }

}  // namespace steadyiqa::models
