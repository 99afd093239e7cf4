#include "models/precision.h"

#include "base/error.h"
#include "models/conv_norm.h"
#include "models/model_test_support.h"
#include "parallel/runtime.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>
#include <vector>

namespace steadyiqa::models {
namespace {

/// Every network with a trunk of convolutions.
const std::vector<std::string> kNames = {"compact", "hyperiqa", "dbcnn", "linearityiqa"};

/// Hash weights: unlike a fresh initialisation's, its scores depend on the image.
std::shared_ptr<Network> network_of(const std::string& name) {
  return hash_network(name, name == "hyperiqa" || name == "linearityiqa" ? "mobilenet_v2" : "");
}

std::vector<torch::Tensor> gradients_of(Network& network, const torch::Tensor& x) {
  network.zero_grad();
  network.forward(x).square().sum().backward();
  std::vector<torch::Tensor> gradients;
  for (const auto& parameter : network.parameters()) {
    gradients.push_back(parameter.grad().clone());
  }
  return gradients;
}

/// ||a - b|| / ||b|| over all of them.
double distance(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]).square().sum().item<double>();
    size += b[i].square().sum().item<double>();
  }
  return std::sqrt(difference / size);
}

// bfloat16 keeps 8 bits: each rounding is off by up to 1 part in 512, over 50 layers, on scores that differ little.
TEST(LoweredTrunk, ScoresAndGradientsAreNearFloat32s) {
  for (const auto& name : kNames) {
    const auto network = network_of(name);
    const std::int64_t side = name == "dbcnn" ? 64 : 224;
    const auto x = hash_input(5, 2, side, side);
    const auto scores = network->forward(x).detach();
    const auto gradients = gradients_of(*network, x);
    const LoweredTrunk lowered(*network, Precision::kBfloat16);
    const auto now = network->forward(x);
    EXPECT_EQ(now.scalar_type(), torch::kFloat32) << name;
    const double moved = distance({now.detach()}, {scores});
    EXPECT_GT(moved, 0) << name;    // something was lowered
    EXPECT_LT(moved, 0.2) << name;  // a mistake moves it by about 1
    EXPECT_LT(distance(gradients_of(*network, x), gradients), 0.2) << name;
  }
}

TEST(LoweredTrunk, LeavesTheNetworkAsItWas) {
  const auto network = network_of("compact");
  const auto x = hash_input(3, 2, 64, 64);
  const auto state = state_copy(*network);
  const auto score = network->forward(x);
  {
    const FoldedBatchNorm folded(*network);
    const LoweredTrunk lowered(*network, Precision::kBfloat16);
    network->forward(x).sum().backward();
    for (const auto& parameter : network->parameters()) {
      EXPECT_TRUE(parameter.grad().defined());
      EXPECT_EQ(parameter.grad().scalar_type(), torch::kFloat32);
    }
  }
  for (const auto& [name, tensor] : state_entries(*network)) {
    EXPECT_TRUE(torch::equal(tensor, state.at(name))) << name;
  }
  EXPECT_TRUE(torch::equal(network->forward(x), score));
}

TEST(LoweredTrunk, InFloat32ChangesNothing) {
  const auto network = network_of("compact");
  const auto x = hash_input(3, 2, 64, 64);
  const auto score = network->forward(x);
  const LoweredTrunk lowered(*network, Precision::kFloat32);
  EXPECT_TRUE(torch::equal(network->forward(x), score));
}

TEST(CheckPrecision, RefusesWhatCannotBe) {
  EXPECT_THROW(check_precision(Precision::kBfloat16, *make_network("maniqa", "")), Error);
  EXPECT_NO_THROW(check_precision(Precision::kFloat32, *make_network("maniqa", "")));
  const auto compact = network_of("compact");
  if (parallel::multiplies_bfloat16()) {
    EXPECT_NO_THROW(check_precision(Precision::kBfloat16, *compact));
  } else {
    EXPECT_THROW(check_precision(Precision::kBfloat16, *compact), Error);
  }
  EXPECT_EQ(parse_precision("bfloat16"), Precision::kBfloat16);
  EXPECT_THROW(static_cast<void>(parse_precision("half")), Error);
}

}  // namespace
}  // namespace steadyiqa::models
