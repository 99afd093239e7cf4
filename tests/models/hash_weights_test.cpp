#include "models/hash_weights.h"

#include "models/network.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

TEST(HashWeights, HashHasThePublishedValues) {
  // The first four 32-bit values of stream 1, computed with numpy uint32 arithmetic.
  constexpr std::array<double, 4> kExpected = {283759747.0, 792797943.0, 2223358306.0, 3651632715.0};
  for (std::uint32_t j = 0; j < 4; ++j) {
    EXPECT_EQ(hash_unit(j, 1) * 4294967296.0, kExpected.at(j)) << j;
  }
}

TEST(HashWeights, InputIsRowMajorInMinusTwoToTwo) {
  const auto input = hash_input(1, 1, 2, 2);
  ASSERT_EQ(input.sizes(), (std::vector<std::int64_t>{1, 3, 2, 2}));
  EXPECT_FLOAT_EQ((input.index({0, 0, 0, 1}).item<float>()),
                  static_cast<float>(4.0 * 792797943.0 / 4294967296.0 - 2.0));
  EXPECT_FLOAT_EQ((input.index({0, 0, 1, 1}).item<float>()),
                  static_cast<float>(4.0 * 3651632715.0 / 4294967296.0 - 2.0));
  const auto large = hash_input(9999, 2, 64, 64);
  EXPECT_GE(large.min().item<float>(), -2.0F);
  EXPECT_LT(large.max().item<float>(), 2.0F);
}

/// Names sort as a.bias, a.weight, b.bias, b.running_mean, b.running_var, b.weight (and b.num_batches_tracked before
/// the running statistics), so their streams are 1, 2, 3, 5, 6, 7.
class TwoLayers : public torch::nn::Module {
 public:
  TwoLayers() {
    register_module("b", torch::nn::BatchNorm2d(2));
    register_module("a", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 2, 1)));
  }
};

TEST(HashWeights, EachKindOfTensorHasItsRange) {
  TwoLayers module;
  fill_hash_weights(module);
  const auto parameters = module.named_parameters();
  const auto buffers = module.named_buffers();
  const auto first = [](const torch::Tensor& tensor) { return tensor.flatten()[0].item<float>(); };
  EXPECT_FLOAT_EQ(first(parameters["a.bias"]), static_cast<float>((hash_unit(0, 1) - 0.5) * 0.2));
  EXPECT_FLOAT_EQ(first(parameters["a.weight"]), static_cast<float>((hash_unit(0, 2) - 0.5) * 2.0));  // sqrt(3/3) = 1
  EXPECT_FLOAT_EQ(first(parameters["b.bias"]), static_cast<float>((hash_unit(0, 3) - 0.5) * 0.2));
  EXPECT_FLOAT_EQ(first(buffers["b.running_mean"]), static_cast<float>((hash_unit(0, 5) - 0.5) * 0.2));
  EXPECT_FLOAT_EQ(first(buffers["b.running_var"]), static_cast<float>(0.5 + hash_unit(0, 6)));
  EXPECT_FLOAT_EQ(first(parameters["b.weight"]), static_cast<float>(0.8 + 0.4 * hash_unit(0, 7)));
  EXPECT_EQ(buffers["b.num_batches_tracked"].item<std::int64_t>(), 0);
}

}  // namespace
}  // namespace steadyiqa::models
