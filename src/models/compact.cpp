#include "models/compact.h"

#include "models/initialise.h"
#include "models/layers.h"
#include "models/stack.h"

#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

Stack block(std::int64_t in, std::int64_t out, std::int64_t stride) {
  const Convolution conv(nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false));
  return Stack(conv, norm_of(conv), nn::ReLU(nn::ReLUOptions().inplace(true)));
}

class Compact : public Network {
 public:
  Compact() {
    features_ = register_module("features", nn::Sequential(block(3, 16, 2), block(16, 24, 2), block(24, 32, 2),
                                                           block(32, 48, 2), block(48, 64, 1)));
    head_ = register_module("head", nn::Sequential(nn::Linear(64, 32), nn::ReLU(), nn::Linear(32, 1)));
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    const auto features = from_trunk(features_->forward(to_trunk(x)));
    return head_->forward(features.mean({2, 3})).view({x.size(0)});
  }
  [[nodiscard]] std::string output_bias() const override { return "head.2.bias"; }
  [[nodiscard]] bool lowers_trunk() const override { return true; }

 private:
  nn::Sequential features_{nullptr};
  nn::Sequential head_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_compact() { return std::make_shared<Compact>(); }

void initialise_compact(Network& network, std::uint64_t seed) {
  initialise(network, seed, [](const std::string& module) -> LayerInit {
    return {module.starts_with("head.") ? WeightInit::kTorchDefault : WeightInit::kFanInNormal};
  });
}

}  // namespace steadyiqa::models
