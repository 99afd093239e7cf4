#include "models/activation_checkpoint.h"

#include "models/conv_norm.h"
#include "models/layers.h"
#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstddef>
#include <optional>
#include <vector>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

Convolution conv() { return Convolution(nn::Conv2dOptions(3, 3, 3).padding(1)); }

/// A convolution that counts its passes and tells whether the last one's result still lies in memory.
class WatchedImpl : public nn::Module {
 public:
  torch::Tensor forward(const torch::Tensor& x) {
    ++passes_;
    auto y = conv_(x);
    result_ = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>(y.getIntrusivePtr());
    return y;
  }
  [[nodiscard]] int passes() const { return passes_; }
  [[nodiscard]] bool result_is_kept() const { return result_ && !result_->expired(); }

 private:
  Convolution conv_{register_module("conv", conv())};
  int passes_ = 0;
  std::optional<c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>> result_;
};
TORCH_MODULE(Watched);

TEST(ActivationCheckpoint, ABlockKeepsItsInputAloneAndRunsAgain) {
  for (const bool checkpoint : {false, true}) {
    const Watched watched;
    const nn::Sequential layers(watched, conv());
    std::optional<CheckpointedActivations> guard;
    if (checkpoint) {
      guard.emplace();
    }
    const auto y = run_blocks(layers, 2, hash_input(3, 1, 8, 8));
    EXPECT_EQ(watched->result_is_kept(), !checkpoint);
    EXPECT_EQ(watched->passes(), 1);
    y.sum().backward();
    EXPECT_EQ(watched->passes(), checkpoint ? 2 : 1);
  }
}

TEST(ActivationCheckpoint, NothingIsRecordedWithoutGradients) {
  const torch::NoGradGuard no_grad;
  const CheckpointedActivations guard;
  const nn::Sequential layers(Watched{}, conv());
  EXPECT_FALSE(run_blocks(layers, 2, hash_input(3, 1, 8, 8)).requires_grad());
}

/// Convolution, BatchNorm and activation, convolution and BatchNorm.
struct Layers {
  Layers() {
    const auto first = conv();
    const auto second = conv();
    layers = nn::Sequential(first, norm_of(first), Relu6(), second, norm_of(second));
    fill_hash_weights(*layers);
  }
  nn::Sequential layers{nullptr};
};

/// Gradients of the input and of all parameters, by way of blocks or (0) as ever. `Guard` has ended before the backward
/// pass comes.
template <class Guard>
std::vector<torch::Tensor> gradients(nn::Sequential layers, std::size_t layers_per_block) {
  const auto x = hash_input(3, 2, 8, 8).requires_grad_(true);
  torch::Tensor y;
  {
    const Guard guard(*layers);
    if (layers_per_block == 0) {
      y = layers->forward(x);
    } else {
      const CheckpointedActivations checkpointed;
      y = run_blocks(layers, layers_per_block, x);
    }
  }
  (y * y.detach().cos()).sum().backward();
  std::vector<torch::Tensor> found = {x.grad()};
  for (const auto& parameter : layers->parameters()) {
    found.push_back(parameter.grad());
  }
  return found;
}

struct NoGuard {
  explicit NoGuard(nn::Module& /*layers*/) {}
};

/// That two blocks, or one, leave gradients and state as ever, bit by bit.
template <class Guard>
void expect_same(bool training) {
  Layers plain;
  plain.layers->train(training);
  const auto expected = gradients<Guard>(plain.layers, 0);
  for (const std::size_t layers_per_block : {3U, 5U}) {
    Layers block;
    block.layers->train(training);
    const auto found = gradients<Guard>(block.layers, layers_per_block);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(torch::equal(found.at(i), expected[i])) << i << " of blocks of " << layers_per_block;
    }
    for (const auto& [name, tensor] : state_entries(*block.layers)) {
      EXPECT_TRUE(torch::equal(tensor, state_copy(*plain.layers).at(name))) << name;
    }
  }
}

TEST(ActivationCheckpoint, BatchStatisticsAreCountedOnce) { expect_same<NoGuard>(/*training=*/true); }

TEST(ActivationCheckpoint, ABlockRunsAgainWithTheWeightsThatItWasFoldedTo) {
  expect_same<FoldedBatchNorm>(/*training=*/false);
}

TEST(ActivationCheckpoint, ABlockRunsAgainInTheModeThatBatchNormHad) {
  expect_same<FrozenBatchNorm>(/*training=*/true);
}

}  // namespace
}  // namespace steadyiqa::models
