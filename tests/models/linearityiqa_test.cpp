#include "models/linearityiqa.h"

#include "base/digest.h"
#include "models/model_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

// SHA-256 of the names and shapes of the authors' modules rebuilt in Python: nn.Sequential of torchvision 0.14.1's
// children without the last two as features (mobilenet_v2: its features), dr6, dr7, regr6, regr7, regression; lines as
// in backbones_test.cpp.
TEST(LinearityIqa, HasThePublishedNamesAndShapes) {
  struct Known {
    const char* backbone;
    std::size_t entries;
    const char* digest;
  };
  constexpr std::array<Known, 5> kKnown = {
      {{"resnet18", 168, "9d10257c4a57d874e2f67cbf43cf9f7f06e433feb3361129ae1cd706417242b2"},
       {"resnet34", 264, "644361b692d7efd3126b8b9501ada37c1f0d7fe2afac440ad0f8aba4d553edfc"},
       {"resnet50", 366, "93f9ce468fb42d9279e58c4eef6d3985efbbcbb69ed364570b506ff0fa18f10a"},
       {"mobilenet_v2", 360, "1e26987ead1fbb326141c5a1238e6504c36d6200767dbf38804ad3aabf7f2ef5"},
       {"resnext101_32x8d", 672, "c835598493dc3b465b53cb21ede0efcc6414997a1c1e8845444d8c00f3a5b599"}}};
  for (const auto& known : kKnown) {
    const auto network = make_network("linearityiqa", known.backbone);
    EXPECT_EQ(state_entries(*network).size(), known.entries) << known.backbone;
    EXPECT_EQ(sha256_hex(name_and_shape_lines(*network, true)), known.digest) << known.backbone;
  }
}

// resnet18 and resnext101_32x8d: the authors' published code (models.md section 7). The others: the rebuild above in
// float64. Outputs are q6, q7, q.
TEST(LinearityIqa, GivesTheAuthorsOutputs) {
  torch::NoGradGuard no_grad;
  const auto x = hash_input(9999, 1, 249, 332);
  const auto outputs = [&x](const char* backbone) { return hash_network("linearityiqa", backbone)->outputs(x); };
  expect_values(outputs("resnet18"), {0.7937387, -0.7176950, -2.6450410}, 1e-4);
  expect_values(outputs("resnet34"), {-21.28856773484484, 4.137875311650442, -15.540054586288369}, 1e-4);
  expect_values(outputs("resnet50"), {-0.9158145359650641, 0.41402422727473814, -0.9779304731293187}, 1e-4);
  expect_values(outputs("mobilenet_v2"), {0.44009405750687935, 0.3915831182350054, -0.5720193215266336}, 1e-4);
}

// A second or two: 90 million parameters are hashed.
TEST(LinearityIqa, ResNeXt101GivesTheAuthorsOutputs) {
  torch::NoGradGuard no_grad;
  expect_values(hash_network("linearityiqa")->outputs(hash_input(9999, 1, 249, 332)),
                {8.2335835, -15.2877026, 7.6089997}, 1e-4);
}

// The rebuild in Python, float64, hash input of seed 7.
TEST(LinearityIqa, GivesEachImageOfABatchItsOwnScoreAtOddSizes) {
  torch::NoGradGuard no_grad;
  const auto network = hash_network("linearityiqa", "resnet18");
  const auto x = hash_input(7, 2, 65, 97);
  expect_values(network->outputs(x),
                {0.8345971192856579, -0.669411805978829, -1.649928776454635, 0.979388935649633, -0.41871937861246605,
                 -1.4480524478928896},
                1e-4);
  expect_values(network->forward(x), {-1.649928776454635, -1.4480524478928896}, 1e-4);
  expect_values(network->forward(x.slice(0, 1)), {-1.4480524478928896}, 1e-4);
  EXPECT_EQ(network->forward(hash_input(1, 1, 3, 1)).sizes(), (std::vector<std::int64_t>{1}));
}

TEST(LinearityIqa, HasAnInputGradient) {
  expect_usable_gradient(*hash_network("linearityiqa", "resnet18"), hash_input(7, 2, 65, 97));
}

TEST(LinearityIqa, TrainsOnTwoImagesOrMoreAndSaysSo) {
  const auto network = hash_network("linearityiqa", "mobilenet_v2");
  EXPECT_EQ(network->least_training_batch(), 2);
  network->train();
  try {
    network->forward(hash_input(7, 1, 64, 64));
    ADD_FAILURE() << "one image was taken";
  } catch (const c10::Error& error) {
    EXPECT_THAT(error.what_without_backtrace(), ::testing::HasSubstr("two images or more"));
  }
  network->forward(hash_input(7, 2, 64, 64));
  const FrozenBatchNorm frozen(*network);
  network->forward(hash_input(7, 1, 64, 64));
}

TEST(LinearityIqa, ModesAndPrecisionReachTheTrunk) {
  const auto network = make_network("linearityiqa", "resnet18");
  EXPECT_TRUE(batch_norm_training(*network));
  network->eval();
  EXPECT_FALSE(batch_norm_training(*network));
  network->to(torch::kFloat64);
  EXPECT_EQ(network->forward(torch::zeros({1, 3, 64, 64}, torch::kFloat64)).scalar_type(), torch::kFloat64);
}

}  // namespace
}  // namespace steadyiqa::models
