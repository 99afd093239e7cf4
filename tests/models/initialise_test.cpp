#include "models/initialise.h"

#include "models/compact.h"
#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::models {
namespace {

bool same_weights(const Network& a, const Network& b) {
  const auto left = state_copy(a);
  const auto right = state_copy(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && torch::equal(x.second, y.second);
  });
}

TEST(Initialise, SeedDecidesTheWeights) {
  EXPECT_TRUE(same_weights(*compact_network(7), *compact_network(7)));
  const auto a = state_copy(*compact_network(7));
  const auto b = state_copy(*compact_network(8));
  for (const char* name : {"features.0.0.weight", "features.4.0.weight", "head.0.weight", "head.2.bias"}) {
    EXPECT_FALSE(torch::equal(a.at(name), b.at(name))) << name;
  }
}

TEST(Initialise, DoesNotDependOnWhatHappenedBefore) {
  const auto expected = compact_network(7);
  torch::manual_seed(123);
  const auto other = make_network("compact", "");
  find_model("compact").initialise(*other, 99);
  other->forward(hash_input(1, 2, 32, 32));  // running statistics move
  find_model("compact").initialise(*other, 7);
  EXPECT_TRUE(same_weights(*expected, *other));
}

TEST(Initialise, SameLayerHasTheSameWeightsInAnotherOrderOfConstruction) {
  namespace nn = torch::nn;
  struct Pair : nn::Module {
    explicit Pair(bool swapped) {
      for (const char* name : {swapped ? "b" : "a", swapped ? "a" : "b"}) {
        register_module(name, nn::Linear(8, 8));
      }
    }
  };
  Pair first(false);
  Pair second(true);
  const auto rule = [](const std::string&) { return LayerInit{WeightInit::kFanInNormal}; };
  initialise(first, 5, rule);
  initialise(second, 5, rule);
  for (const char* name : {"a.weight", "a.bias", "b.weight", "b.bias"}) {
    EXPECT_TRUE(torch::equal(first.named_parameters()[name], second.named_parameters()[name])) << name;
  }
  EXPECT_FALSE(torch::equal(first.named_parameters()["a.weight"], first.named_parameters()["b.weight"]));
}

/// The relative error of a sample's standard deviation is 1/sqrt(2n): below 0.3 % for the layers below (n > 60,000).
void expect_deviation(const torch::Tensor& tensor, double expected) {
  EXPECT_NEAR(tensor.std().item<double>() / expected, 1.0, 0.015);
  EXPECT_LT(std::abs(tensor.mean().item<double>()), 0.02 * expected);
}

TEST(Initialise, HyperIqaFollowsThePapersRules) {
  const auto network = make_network("hyperiqa", "mobilenet_v2");
  find_model("hyperiqa").initialise(*network, 3);
  const auto state = state_copy(*network);
  const double sqrt3 = std::sqrt(3.0);
  expect_deviation(state.at("res.features.18.0.weight"), std::sqrt(2.0 / 1280));    // 1280 x 320 x 1 x 1, fan out
  expect_deviation(state.at("res.lda4_fc.weight"), std::sqrt(2.0 / 1280));          // 176 x 1280, fan in
  expect_deviation(state.at("fc1w_conv.weight"), std::sqrt(2.0 / (112 * 9)));       // 512 x 112 x 3 x 3, fan in
  expect_deviation(state.at("conv1.0.weight"), 1.0 / (std::sqrt(1280.0) * sqrt3));  // 640 x 1280, uniform
  EXPECT_LE(state.at("conv1.0.weight").abs().max().item<double>(), 1.0 / std::sqrt(1280.0) * (1 + 1e-6));
  const auto bias = state.at("fc1w_conv.bias");
  EXPECT_LE(bias.abs().max().item<double>(), 1.0 / std::sqrt(112.0 * 9) * (1 + 1e-6));
  EXPECT_NEAR(bias.std().item<double>(), 1.0 / (std::sqrt(112.0 * 9) * sqrt3), 0.1 / (std::sqrt(112.0 * 9) * sqrt3));
}

TEST(Initialise, DbcnnFollowsThePapersRules) {
  const auto network = make_network("dbcnn", "");
  find_model("dbcnn").initialise(*network, 3);
  const auto state = state_copy(*network);
  expect_deviation(state.at("features1.14.weight"), std::sqrt(2.0 / (256 * 9)));  // fan out
  expect_deviation(state.at("features2.18.weight"), std::sqrt(2.0 / (64 * 9)));   // 128 x 64 x 3 x 3, fan in
  expect_deviation(state.at("fc.weight"), std::sqrt(2.0 / 65536));
  for (const char* name : {"features1.14.bias", "features2.18.bias", "fc.bias"}) {
    EXPECT_EQ(state.at(name).abs().max().item<double>(), 0) << name;
  }
}

TEST(Initialise, LinearityIqaFollowsThePapersRules) {
  const auto network = make_network("linearityiqa", "mobilenet_v2");
  find_model("linearityiqa").initialise(*network, 3);
  const auto state = state_copy(*network);
  expect_deviation(state.at("features.18.0.weight"), std::sqrt(2.0 / 1280));               // fan out
  expect_deviation(state.at("dr7.0.weight"), 1.0 / (std::sqrt(1280.0) * std::sqrt(3.0)));  // uniform
  EXPECT_TRUE(torch::equal(state.at("dr7.1.weight"), torch::ones({1024})));
}

TEST(Initialise, BatchNormStartsAsIdentity) {
  const auto network = compact_network();
  network->forward(hash_input(1, 2, 32, 32));
  initialise_compact(*network, 1);
  const auto state = state_copy(*network);
  EXPECT_TRUE(torch::equal(state.at("features.1.1.weight"), torch::ones({24})));
  EXPECT_TRUE(torch::equal(state.at("features.1.1.bias"), torch::zeros({24})));
  EXPECT_TRUE(torch::equal(state.at("features.1.1.running_mean"), torch::zeros({24})));
  EXPECT_TRUE(torch::equal(state.at("features.1.1.running_var"), torch::ones({24})));
  EXPECT_EQ(state.at("features.1.1.num_batches_tracked").item<std::int64_t>(), 0);
}

}  // namespace
}  // namespace steadyiqa::models
