#include "models/korhonen.h"

#include "models/initialise.h"

#include <torch/torch.h>

#include <utility>

namespace steadyiqa::models {
namespace {

constexpr double kSurrogateDropout = 0.25;

class Korhonen : public Network {
 public:
  explicit Korhonen(std::shared_ptr<Backbone> trunk) : trunk_(std::move(trunk)) {
    register_module("trunk", trunk_);
    head_ = register_module("head", torch::nn::Linear(trunk_->channels()[3], 1));
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    TORCH_CHECK(x.dim() == 4 && x.size(1) == 3, "Korhonen's surrogate takes [N,3,H,W], got ", x.sizes());
    const auto pooled = trunk_->forward(x)[3].mean({2, 3});
    return torch::sigmoid(head_(torch::dropout(pooled, kSurrogateDropout, is_training()))).view({x.size(0)});
  }

  [[nodiscard]] std::string trunk_prefix() const override { return "trunk."; }

 private:
  std::shared_ptr<Backbone> trunk_;
  torch::nn::Linear head_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_korhonen(std::shared_ptr<Backbone> trunk) {
  return std::make_shared<Korhonen>(std::move(trunk));
}

void initialise_korhonen(Network& network, std::uint64_t seed) {
  initialise(network, seed, [](const std::string& module) -> LayerInit {
    if (module == "head") {
      return {WeightInit::kNarrowNormal, BiasInit::kZero};
    }
    return {WeightInit::kFanOutNormal};
  });
}

}  // namespace steadyiqa::models
