#include "models/linearityiqa.h"

#include "models/initialise.h"

#include <torch/torch.h>

#include <array>
#include <utility>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

constexpr std::int64_t kReduced = 64;

/// From pooled channels to 64 features; only the last layer is not linear.
nn::Sequential reduction(std::int64_t channels) {
  nn::Sequential layers;
  std::int64_t in = channels;
  for (const std::int64_t out : {std::int64_t{1024}, std::int64_t{256}, kReduced}) {
    layers->push_back(nn::Linear(in, out));
    layers->push_back(nn::BatchNorm1d(out));
    in = out;
  }
  layers->push_back(nn::ReLU());
  return layers;
}

/// The authors hold torchvision's ResNet as a Sequential: conv1 is child 0, bn1 1, then ReLU, pooling and four layers.
constexpr std::array<std::pair<const char*, const char*>, 6> kSequentialNames = {
    {{"0", "conv1"}, {"1", "bn1"}, {"4", "layer1"}, {"5", "layer2"}, {"6", "layer3"}, {"7", "layer4"}}};

/// The trunk's children under the authors' names. MobileNetV2 is such a Sequential itself.
std::shared_ptr<nn::Module> sequential_view(const Backbone& backbone) {
  const auto children = backbone.named_children();
  if (const auto* features = children.find("features")) {
    return *features;
  }
  auto view = std::make_shared<nn::Module>("features");
  for (const auto& [index, name] : kSequentialNames) {
    view->register_module(index, children[name]);
  }
  return view;
}

class LinearityIqa : public Network {
 public:
  explicit LinearityIqa(std::shared_ptr<Backbone> backbone) : trunk_(std::move(backbone)) {
    const auto features = sequential_view(*trunk_);
    register_module("features", features);
    dr6_ = register_module("dr6", reduction(trunk_->channels()[2]));
    dr7_ = register_module("dr7", reduction(trunk_->channels()[3]));
    regr6_ = register_module("regr6", nn::Linear(kReduced, 1));
    regr7_ = register_module("regr7", nn::Linear(kReduced, 1));
    regression_ = register_module("regression", nn::Linear(2 * kReduced, 1));
  }

  torch::Tensor outputs(const torch::Tensor& x) override {
    TORCH_CHECK(x.dim() == 4 && x.size(1) == 3, "LinearityIQA takes [N,3,H,W], got ", x.sizes());
    TORCH_CHECK(x.size(0) > 1 || !batch_norm_training(*dr6_),
                "LinearityIQA trains on batches of two images or more (BatchNorm over one vector has no variance)");
    const auto taps = trunk_->forward(to_trunk(x));
    const auto level6 = dr6_->forward(from_trunk(taps[2]).mean({2, 3}));
    const auto level7 = dr7_->forward(from_trunk(taps[3]).mean({2, 3}));
    return torch::cat({regr6_(level6), regr7_(level7), regression_(torch::cat({level6, level7}, 1))}, 1);
  }
  torch::Tensor forward(const torch::Tensor& x) override { return outputs(x).select(1, 2); }

  [[nodiscard]] std::int64_t least_training_batch() const override { return 2; }
  [[nodiscard]] std::string trunk_prefix() const override { return "features."; }
  [[nodiscard]] std::string output_bias() const override { return "regression.bias"; }
  [[nodiscard]] bool lowers_trunk() const override { return true; }

 private:
  std::shared_ptr<Backbone> trunk_;  ///< its children are registered under `features`
  nn::Sequential dr6_{nullptr}, dr7_{nullptr};
  nn::Linear regr6_{nullptr}, regr7_{nullptr}, regression_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_linearityiqa(std::shared_ptr<Backbone> backbone) {
  return std::make_shared<LinearityIqa>(std::move(backbone));
}

void initialise_linearityiqa(Network& network, std::uint64_t seed) {
  initialise(network, seed, [](const std::string& module) -> LayerInit {
    return {module.starts_with("features.") ? WeightInit::kFanOutNormal : WeightInit::kTorchDefault};
  });
}

}  // namespace steadyiqa::models
