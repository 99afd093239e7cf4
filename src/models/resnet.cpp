// ResNet-50 as torchvision builds it; names and shapes match its state_dict.
#include "models/backbones.h"

#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

nn::Conv2d conv(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

class BottleneckImpl : public nn::Module {
 public:
  BottleneckImpl(std::int64_t in, std::int64_t planes, std::int64_t stride) {
    const std::int64_t out = planes * 4;
    conv1_ = register_module("conv1", conv(in, planes, 1, 1));
    bn1_ = register_module("bn1", nn::BatchNorm2d(planes));
    conv2_ = register_module("conv2", conv(planes, planes, 3, stride));
    bn2_ = register_module("bn2", nn::BatchNorm2d(planes));
    conv3_ = register_module("conv3", conv(planes, out, 1, 1));
    bn3_ = register_module("bn3", nn::BatchNorm2d(out));
    if (stride != 1 || in != out) {
      downsample_ = register_module("downsample", nn::Sequential(conv(in, out, 1, stride), nn::BatchNorm2d(out)));
    }
  }
  torch::Tensor forward(const torch::Tensor& x) {
    auto y = torch::relu(bn1_(conv1_(x)));
    y = torch::relu(bn2_(conv2_(y)));
    y = bn3_(conv3_(y));
    return torch::relu(y + (downsample_.is_empty() ? x : downsample_->forward(x)));
  }

 private:
  nn::Conv2d conv1_{nullptr}, conv2_{nullptr}, conv3_{nullptr};
  nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr}, bn3_{nullptr};
  nn::Sequential downsample_{nullptr};
};
TORCH_MODULE(Bottleneck);

class ResNet50 : public Backbone {
 public:
  ResNet50() {
    conv1_ = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(3, 64, 7).stride(2).padding(3).bias(false)));
    bn1_ = register_module("bn1", nn::BatchNorm2d(64));
    constexpr std::array<int, 4> kBlocks = {3, 4, 6, 3};
    std::int64_t in = 64;
    for (std::size_t stage = 0; stage < 4; ++stage) {
      const std::int64_t planes = 64LL << stage;
      nn::Sequential layer;
      for (int block = 0; block < kBlocks.at(stage); ++block) {
        layer->push_back(Bottleneck(in, planes, block == 0 && stage > 0 ? 2 : 1));
        in = planes * 4;
      }
      layers_.at(stage) = register_module("layer" + std::to_string(stage + 1), layer);
    }
  }
  Taps forward(const torch::Tensor& x) override {
    auto y = torch::max_pool2d(torch::relu(bn1_(conv1_(x))), 3, 2, 1);
    Taps taps;
    for (std::size_t stage = 0; stage < 4; ++stage) {
      y = layers_.at(stage)->forward(y);
      taps.at(stage) = y;
    }
    return taps;
  }
  [[nodiscard]] std::array<std::int64_t, 4> channels() const override { return {256, 512, 1024, 2048}; }

 private:
  nn::Conv2d conv1_{nullptr};
  nn::BatchNorm2d bn1_{nullptr};
  std::array<nn::Sequential, 4> layers_{nn::Sequential{nullptr}, nn::Sequential{nullptr}, nn::Sequential{nullptr},
                                        nn::Sequential{nullptr}};
};

}  // namespace

std::shared_ptr<Backbone> make_resnet50() { return std::make_shared<ResNet50>(); }

}  // namespace steadyiqa::models
