#include "models/feature_distance.h"

#include "base/error.h"
#include "models/catalogue.h"
#include "models/plain_trunks.h"
#include "parallel/runtime.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <string>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

constexpr std::size_t kTaps = 5;
using TapIndices = std::array<std::size_t, kTaps>;     // layers, each a ReLU
constexpr TapIndices kVgg16Taps = {3, 8, 15, 22, 29};  // the last before each pooling
constexpr TapIndices kAlexNetTaps = {1, 4, 7, 9, 11};  // all of them
constexpr std::array<std::int64_t, kTaps> kVgg16Channels = {64, 128, 256, 512, 512};
constexpr std::array<std::int64_t, kTaps> kAlexNetChannels = {64, 192, 384, 256, 256};

/// The trunk's layers under the authors' names: in groups that each end with a tap, `name`1 to 5, by number in the
/// trunk.
void register_groups(nn::Module& parent, const nn::Sequential& trunk, const TapIndices& taps, const std::string& name) {
  const auto layers = trunk->children();
  std::size_t layer = 0;
  for (std::size_t group = 0; group < kTaps; ++group) {
    const auto part = std::make_shared<nn::Module>(name + std::to_string(group + 1));
    for (; layer <= taps.at(group); ++layer) {
      part->register_module(std::to_string(layer), layers.at(layer));
    }
    parent.register_module(part->name(), part);
  }
}

/// A value for each channel as [1,3,1,1] of x's kind.
torch::Tensor by_channel(const std::array<double, 3>& values, const torch::Tensor& x) {
  return torch::tensor({values[0], values[1], values[2]}, x.options()).view({1, 3, 1, 1});
}

void require_sides(const torch::Tensor& pixels, std::int64_t least, const char* what) {
  STEADYIQA_ASSERT(pixels.dim() == 4 && pixels.size(1) == 3, "a feature distance takes [N,3,H,W]");
  if (std::min(pixels.size(2), pixels.size(3)) < least) {
    fail_input("{}x{} pixels is too small for {}: at least {} a side", pixels.size(3), pixels.size(2), what, least);
  }
}

class Lpips : public FeatureDistance {
 public:
  explicit Lpips(LpipsTrunk trunk) : vgg_(trunk == LpipsTrunk::kVgg16) {
    const auto net = std::make_shared<nn::Module>("net");
    register_groups(*net, trunk_, taps(), "slice");
    register_module("net", net);
    for (std::size_t i = 0; i < kTaps; ++i) {
      // Child 0 of theirs is a dropout.
      lins_.emplace_back(nn::Conv2dOptions((vgg_ ? kVgg16Channels : kAlexNetChannels).at(i), 1, 1).bias(false));
      const auto model = std::make_shared<nn::Module>("model");
      model->register_module("1", lins_.back().ptr());
      const auto lin = std::make_shared<nn::Module>("lin" + std::to_string(i));
      lin->register_module("model", model);
      register_module(lin->name(), lin);
    }
  }

  Features features(const torch::Tensor& pixels) override {
    constexpr std::array<double, 3> kShift = {-0.030, -0.088, -0.188};
    constexpr std::array<double, 3> kScale = {0.458, 0.448, 0.450};
    require_sides(pixels, vgg_ ? 16 : 31, "LPIPS");
    auto y = parallel::to_layout((2 * pixels - 1 - by_channel(kShift, pixels)) / by_channel(kScale, pixels));
    Features maps;
    std::size_t index = 0;
    for (auto& layer : *trunk_) {
      y = layer.forward(y);
      if (index++ == taps().at(maps.size())) {
        maps.push_back(unit(y));
      }
    }
    return maps;
  }

  torch::Tensor between(const Features& a, const Features& b) override {
    auto sum = torch::zeros({a[0].size(0)}, a[0].options());
    for (std::size_t i = 0; i < kTaps; ++i) {
      sum = sum + lins_[i]((a[i] - b[i]).square()).mean({1, 2, 3});
    }
    return sum;
  }

 private:
  [[nodiscard]] const TapIndices& taps() const { return vgg_ ? kVgg16Taps : kAlexNetTaps; }

  /// Each place's vector to norm 1. Where it is 0, a root has no gradient, but all ReLUs before it are closed.
  static torch::Tensor unit(const torch::Tensor& map) {
    constexpr double kEpsilon = 1e-10;  // as theirs
    return map / (map.square().sum(1, /*keepdim=*/true).sqrt() + kEpsilon);
  }

  bool vgg_;
  nn::Sequential trunk_ = vgg_ ? vgg16_features() : alexnet_features();
  std::vector<nn::Conv2d> lins_;
};

class Dists : public FeatureDistance {
 public:
  Dists() {
    register_groups(*this, trunk_, kVgg16Taps, "stage");
    std::int64_t channels = 0;
    for (const auto width : kWidths) {
      channels += width;
    }
    alpha_ = register_parameter("alpha", torch::ones({1, channels, 1, 1}));
    beta_ = register_parameter("beta", torch::ones({1, channels, 1, 1}));
  }

  Features features(const torch::Tensor& pixels) override {
    require_sides(pixels, 1, "DISTS");
    Features maps = {pixels};
    auto y = parallel::to_layout((pixels - by_channel(kImageNet.mean, pixels)) / by_channel(kImageNet.std, pixels));
    std::size_t index = 0;
    for (auto& layer : *trunk_) {
      y = layer.ptr()->as<nn::MaxPool2d>() != nullptr ? l2_pool(y) : layer.forward(y);
      if (index++ == kVgg16Taps.at(maps.size() - 1)) {
        maps.push_back(y);
      }
    }
    return maps;
  }

  torch::Tensor between(const Features& a, const Features& b) override {
    constexpr double kC1 = 1e-6;
    constexpr double kC2 = 1e-6;
    const auto alphas = alpha_.split_with_sizes(kWidths, 1);
    const auto betas = beta_.split_with_sizes(kWidths, 1);
    const auto mean = [](const torch::Tensor& map) { return map.mean({2, 3}, /*keepdim=*/true); };
    auto similarity = torch::zeros({a[0].size(0)}, a[0].options());
    for (std::size_t i = 0; i < kWidths.size(); ++i) {
      const auto mean_a = mean(a[i]);
      const auto mean_b = mean(b[i]);
      const auto texture = (2 * mean_a * mean_b + kC1) / (mean_a.square() + mean_b.square() + kC1);
      const auto from_a = a[i] - mean_a;
      const auto from_b = b[i] - mean_b;
      const auto variances = mean(from_a.square()) + mean(from_b.square());
      const auto structure = (2 * mean(from_a * from_b) + kC2) / (variances + kC2);
      similarity = similarity + (alphas[i] * texture + betas[i] * structure).sum({1, 2, 3});
    }
    return 1 - similarity / (alpha_.sum() + beta_.sum());
  }

 private:
  inline static const std::vector<std::int64_t> kWidths = {3, 64, 128, 256, 512, 512};

  /// The root of the Hann-weighted mean of squares over 3 x 3 places (Henaff and Simoncelli 2016), stride 2.
  static torch::Tensor l2_pool(const torch::Tensor& map) {
    constexpr double kEpsilon = 1e-12;
    const auto line = torch::tensor({0.25, 0.5, 0.25}, map.options());
    const auto channels = map.size(1);
    const auto window = torch::outer(line, line).expand({channels, 1, 3, 3}).contiguous();
    return (torch::conv2d(map.square(), window, {}, 2, 1, 1, channels) + kEpsilon).sqrt();
  }

  nn::Sequential trunk_ = vgg16_features();
  torch::Tensor alpha_, beta_;
};

}  // namespace

std::shared_ptr<FeatureDistance> make_lpips(LpipsTrunk trunk) { return std::make_shared<Lpips>(trunk); }

std::shared_ptr<FeatureDistance> make_dists() { return std::make_shared<Dists>(); }

}  // namespace steadyiqa::models
