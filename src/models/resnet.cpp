// ResNet and ResNeXt as torchvision builds them; names and shapes match its state_dict.
#include "models/backbones.h"

#include "base/error.h"
#include "models/activation_checkpoint.h"
#include "models/layers.h"

#include <torch/torch.h>

#include <utility>
#include <vector>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

struct ResNetShape {
  const char* name = "";
  std::array<int, 4> blocks{};  ///< of each stage
  bool bottleneck = false;
  std::int64_t groups = 1;  ///< of a bottleneck's 3x3 convolution
  std::int64_t width = 64;  ///< channels of each group in the first stage
};
constexpr std::array<ResNetShape, 4> kShapes = {{{"resnet18", {2, 2, 2, 2}, false},
                                                 {"resnet34", {3, 4, 6, 3}, false},
                                                 {"resnet50", {3, 4, 6, 3}, true},
                                                 {"resnext101_32x8d", {3, 4, 23, 3}, true, 32, 8}}};

Convolution conv(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t groups = 1) {
  return Convolution(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(false));
}

/// Convolutions with BatchNorm, a ReLU between each two; the input is added before the last ReLU.
class BlockImpl : public nn::Module {
 public:
  BlockImpl(const std::vector<Convolution>& convs, std::int64_t stride) {
    for (std::size_t i = 0; i < convs.size(); ++i) {
      const auto number = std::to_string(i + 1);
      convs_.emplace_back(register_module("conv" + number, convs[i]));
      norms_.emplace_back(register_module("bn" + number, norm_of(convs[i])));
    }
    const auto in = convs.front()->options.in_channels();
    const auto out = convs.back()->options.out_channels();
    if (stride != 1 || in != out) {
      const auto shortcut = conv(in, out, 1, stride);
      downsample_ = register_module("downsample", nn::Sequential(shortcut, norm_of(shortcut)));
    }
  }
  torch::Tensor forward(const torch::Tensor& x) {
    auto y = x;
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      y = norms_[i](convs_[i](i == 0 ? y : apply_relu(std::move(y))));
    }
    return apply_relu(y.add_(downsample_.is_empty() ? x : downsample_->forward(x)));
  }

 private:
  std::vector<Convolution> convs_;
  std::vector<ConvNorm> norms_;
  nn::Sequential downsample_{nullptr};
};
TORCH_MODULE(Block);

class ResNet : public Backbone {
 public:
  explicit ResNet(const ResNetShape& shape) {
    conv1_ = register_module("conv1", Convolution(nn::Conv2dOptions(3, 64, 7).stride(2).padding(3).bias(false)));
    bn1_ = register_module("bn1", norm_of(conv1_));
    std::int64_t in = 64;
    for (std::size_t stage = 0; stage < 4; ++stage) {
      const std::int64_t planes = 64LL << stage;
      const std::int64_t inner = planes * shape.width / 64 * shape.groups;
      const std::int64_t out = shape.bottleneck ? planes * 4 : planes;
      nn::Sequential layer;
      for (int block = 0; block < shape.blocks.at(stage); ++block) {
        const std::int64_t stride = block == 0 && stage > 0 ? 2 : 1;
        const auto convs = shape.bottleneck
                               ? std::vector{conv(in, inner, 1, 1), conv(inner, inner, 3, stride, shape.groups),
                                             conv(inner, out, 1, 1)}
                               : std::vector{conv(in, out, 3, stride), conv(out, out, 3, 1)};
        layer->push_back(Block(convs, stride));
        in = out;
      }
      channels_.at(stage) = out;
      layers_.at(stage) = register_module("layer" + std::to_string(stage + 1), layer);
    }
  }
  Taps forward(const torch::Tensor& x) override {
    auto y = torch::max_pool2d(apply_relu(bn1_(conv1_(x))), 3, 2, 1);
    Taps taps;
    for (std::size_t stage = 0; stage < 4; ++stage) {
      y = run_blocks(layers_.at(stage), 1, y);
      taps.at(stage) = y;
    }
    return taps;
  }
  [[nodiscard]] std::array<std::int64_t, 4> channels() const override { return channels_; }

 private:
  Convolution conv1_{nullptr};
  ConvNorm bn1_{nullptr};
  std::array<nn::Sequential, 4> layers_{nn::Sequential{nullptr}, nn::Sequential{nullptr}, nn::Sequential{nullptr},
                                        nn::Sequential{nullptr}};
  std::array<std::int64_t, 4> channels_{};
};

}  // namespace

std::shared_ptr<Backbone> make_resnet(const std::string& name) {
  for (const auto& shape : kShapes) {
    if (name == shape.name) {
      return std::make_shared<ResNet>(shape);
    }
  }
  return nullptr;
}

std::shared_ptr<Backbone> make_backbone(const std::string& name) {
  auto backbone = name == "mobilenet_v2" ? make_mobilenet_v2() : make_resnet(name);
  STEADYIQA_ASSERT(backbone != nullptr, "no such backbone");
  return backbone;
}

}  // namespace steadyiqa::models
