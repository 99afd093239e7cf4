#include "models/hyperiqa.h"

#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

TEST(HyperIqa, HasThePublishedStateDict) {
  const auto network = make_network("hyperiqa", "");
  EXPECT_EQ(state_entries(*network).size(), 355U);
  std::int64_t all = 0;
  std::int64_t trunk = 0;
  for (const auto& item : network->named_parameters()) {
    all += item.value().numel();
    const bool in_trunk = item.key().rfind("res.", 0) == 0 && item.key().rfind("res.lda", 0) != 0;
    trunk += in_trunk ? item.value().numel() : 0;
  }
  EXPECT_EQ(all, 27'375'369);
  EXPECT_EQ(trunk, 23'508'032);
  EXPECT_EQ(network->trunk_prefix(), "res.");
}

TEST(HyperIqa, HasThePublishedNamesAndShapes) {
  using Shape = std::vector<std::int64_t>;
  const std::map<std::string, Shape> expected = {
      {"res.conv1.weight", {64, 3, 7, 7}},
      {"res.bn1.running_var", {64}},
      {"res.layer1.0.downsample.0.weight", {256, 64, 1, 1}},
      {"res.layer1.0.downsample.1.num_batches_tracked", {}},
      {"res.layer2.3.bn2.bias", {128}},
      {"res.layer3.5.conv2.weight", {256, 256, 3, 3}},
      {"res.layer4.2.conv3.weight", {2048, 512, 1, 1}},
      {"res.lda1_pool.0.weight", {16, 256, 1, 1}},
      {"res.lda2_pool.0.weight", {32, 512, 1, 1}},
      {"res.lda3_pool.0.weight", {64, 1024, 1, 1}},
      {"res.lda1_fc.weight", {16, 1024}},
      {"res.lda2_fc.weight", {16, 512}},
      {"res.lda3_fc.weight", {16, 256}},
      {"res.lda4_fc.weight", {176, 2048}},
      {"res.lda4_fc.bias", {176}},
      {"conv1.0.weight", {1024, 2048, 1, 1}},
      {"conv1.2.weight", {512, 1024, 1, 1}},
      {"conv1.4.weight", {112, 512, 1, 1}},
      {"conv1.4.bias", {112}},
      {"fc1w_conv.weight", {512, 112, 3, 3}},
      {"fc2w_conv.weight", {128, 112, 3, 3}},
      {"fc3w_conv.weight", {32, 112, 3, 3}},
      {"fc4w_conv.weight", {8, 112, 3, 3}},
      {"fc1b_fc.weight", {112, 112}},
      {"fc2b_fc.weight", {56, 112}},
      {"fc3b_fc.weight", {28, 112}},
      {"fc4b_fc.weight", {14, 112}},
      {"fc5w_fc.weight", {14, 112}},
      {"fc5b_fc.weight", {1, 112}},
      {"fc5b_fc.bias", {1}},
  };
  const auto network = make_network("hyperiqa", "");
  std::map<std::string, torch::Tensor> found;
  for (const auto& [name, tensor] : state_entries(*network)) {
    found.emplace(name, tensor);
  }
  for (const auto& [name, shape] : expected) {
    ASSERT_EQ(found.count(name), 1U) << name;
    EXPECT_EQ(found.at(name).sizes(), shape) << name;
  }
}

// Made with the authors' published code (torch 1.13.1, float32); a Python rebuild on torchvision 0.14.1 in float64
// gives 1.70686956944693, 1.6582294994424451.
TEST(HyperIqa, ResNet50GivesTheAuthorsScoresAlsoForOneImage) {
  torch::NoGradGuard no_grad;
  const auto network = hash_network("hyperiqa");
  const auto x = hash_input(9999, 2, 224, 224);
  expect_values(network->forward(x), {1.70686936, 1.65822995}, 1e-4);
  expect_values(network->forward(x.slice(0, 0, 1)), {1.70686936}, 1e-4);
}

// The same network around torchvision 0.14.1's mobilenet_v2(weights=None).features in Python, eval mode, hash weights
// over the sorted state_dict, in float64.
TEST(HyperIqa, MobileNetV2GivesTorchvisionsScores) {
  torch::NoGradGuard no_grad;
  const auto network = hash_network("hyperiqa", "mobilenet_v2");
  EXPECT_EQ(state_entries(*network).size(), 349U);
  expect_values(network->forward(hash_input(9999, 2, 224, 224)), {0.021636189932489974, 0.023980768863910096}, 1e-4);
}

TEST(HyperIqa, RefusesAnotherInputSize) {
  const auto network = make_network("hyperiqa", "mobilenet_v2");
  EXPECT_THROW(network->forward(torch::zeros({1, 3, 256, 224})), c10::Error);
  EXPECT_THROW(network->forward(torch::zeros({3, 224, 224})), c10::Error);
}

}  // namespace
}  // namespace steadyiqa::models
