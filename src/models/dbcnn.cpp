#include "models/dbcnn.h"

#include "models/activation_checkpoint.h"
#include "models/initialise.h"
#include "models/layers.h"
#include "models/plain_trunks.h"

#include <torch/torch.h>

#include <array>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;
namespace F = torch::nn::functional;

constexpr std::int64_t kVggChannels = 512;
constexpr std::int64_t kScnnChannels = 128;
constexpr std::size_t kLayersPerBlock = 6;  // that activations are checkpointed by
constexpr std::int64_t kSmallest = 16;      // VGG-16 halves the sides four times

/// The S-CNN's convolutions: stride 16, sides rounded up.
nn::Sequential scnn() {
  struct Layer {
    std::int64_t out, stride;
  };
  constexpr std::array<Layer, 9> kLayers = {
      {{48, 1}, {48, 2}, {64, 1}, {64, 2}, {64, 1}, {64, 2}, {128, 1}, {128, 1}, {kScnnChannels, 2}}};
  nn::Sequential features;
  std::int64_t in = 3;
  for (const auto& [out, stride] : kLayers) {
    const Convolution conv(nn::Conv2dOptions(in, out, 3).stride(stride).padding(1));
    features->push_back(conv);
    features->push_back(norm_of(conv));
    features->push_back(nn::ReLU());
    in = out;
  }
  return features;
}

class Dbcnn : public Network {
 public:
  Dbcnn() {
    features1_ = register_module("features1", vgg16_features());
    features2_ = register_module("features2", scnn());
    fc_ = register_module("fc", nn::Linear(kVggChannels * kScnnChannels, 1));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    TORCH_CHECK(x.dim() == 4 && x.size(1) == 3 && x.size(2) >= kSmallest && x.size(3) >= kSmallest,
                "DBCNN takes [N,3,H,W] with sides of at least ", kSmallest, " pixels, got ", x.sizes());
    const auto content = from_trunk(run_blocks(features1_, kLayersPerBlock, to_trunk(x)));
    auto distortion = from_trunk(run_blocks(features2_, kLayersPerBlock, to_trunk(x)));
    const auto sides = content.sizes().slice(2);
    if (!distortion.sizes().slice(2).equals(sides)) {
      distortion = torch::upsample_bilinear2d(distortion, sides, /*align_corners=*/true);
    }
    const auto places = static_cast<double>(sides[0] * sides[1]);
    const auto pooled = torch::bmm(content.flatten(2), distortion.flatten(2).transpose(1, 2)) / places;
    // Both maps end in a ReLU, so the products are >= 0; 1e-8 keeps the root's gradient finite.
    const auto rooted = torch::sqrt(pooled.flatten(1) + 1e-8);
    const auto unit = F::normalize(rooted, F::NormalizeFuncOptions().p(2).dim(1).eps(1e-12));
    return fc_(unit).view({x.size(0)});
  }

  [[nodiscard]] std::string trunk_prefix() const override { return "features"; }
  [[nodiscard]] std::string output_bias() const override { return "fc.bias"; }
  [[nodiscard]] bool lowers_trunk() const override { return true; }

 private:
  nn::Sequential features1_{nullptr}, features2_{nullptr};
  nn::Linear fc_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_dbcnn() { return std::make_shared<Dbcnn>(); }

void initialise_dbcnn(Network& network, std::uint64_t seed) {
  initialise(network, seed, [](const std::string& module) -> LayerInit {
    return {module.starts_with("features1.") ? WeightInit::kFanOutNormal : WeightInit::kFanInNormal, BiasInit::kZero};
  });
}

}  // namespace steadyiqa::models
