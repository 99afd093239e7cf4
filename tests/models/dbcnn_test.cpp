#include "models/dbcnn.h"

#include "base/digest.h"
#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

// SHA-256 of the names and shapes of the authors' modules rebuilt in Python: torchvision 0.14.1's
// vgg16(weights=None).features[:-1] as features1, the nine Conv2d, BatchNorm2d, ReLU as features2, Linear(65536, 1) as
// fc; lines as in backbones_test.cpp.
TEST(Dbcnn, HasThePublishedNamesAndShapes) {
  const auto network = make_dbcnn();
  EXPECT_EQ(state_entries(*network).size(), 91U);
  EXPECT_EQ(sha256_hex(name_and_shape_lines(*network, true)),
            "797083507343d34de7a1821d3763699e5a15e0a1fb8c5d1fdf53006458309ab2");
}

// Made with the authors' published code (models.md section 7); the rebuild in Python and float64 gives
// -0.08951391727872154 and -0.08970953655938053. In 250 x 333 the maps are 15 x 20 and 16 x 21: one is resized.
TEST(Dbcnn, GivesTheAuthorsScores) {
  torch::NoGradGuard no_grad;
  const auto network = hash_network("dbcnn");
  expect_values(network->forward(hash_input(9999, 1, 224, 224)), {-0.0895139}, 1e-4);
  expect_values(network->forward(hash_input(9999, 1, 250, 333)), {-0.0897095}, 1e-4);
}

// The rebuild in Python, float64, hash input of seed 7.
TEST(Dbcnn, GivesEachImageOfABatchItsOwnScoreAtOddSizes) {
  torch::NoGradGuard no_grad;
  const auto network = hash_network("dbcnn");
  const auto x = hash_input(7, 2, 70, 91);
  expect_values(network->forward(x), {-0.08857128144881178, -0.08919813753256443}, 1e-5);
  expect_values(network->forward(x.slice(0, 1)), {-0.08919813753256443}, 1e-5);
  EXPECT_EQ(network->forward(hash_input(1, 1, 16, 17)).sizes(), (std::vector<std::int64_t>{1}));
}

TEST(Dbcnn, HasAnInputGradient) {
  expect_usable_gradient(*hash_network("dbcnn"), hash_input(7, 2, 70, 91));
  // A flat image leaves many products at 0, where a root's gradient would be infinite.
  expect_usable_gradient(*hash_network("dbcnn"), torch::zeros({1, 3, 32, 32}));
}

TEST(Dbcnn, RefusesWhatIsTooSmall) {
  const auto network = make_dbcnn();
  EXPECT_THROW(network->forward(torch::zeros({1, 3, 15, 64})), c10::Error);
  EXPECT_THROW(network->forward(torch::zeros({3, 64, 64})), c10::Error);
}

}  // namespace
}  // namespace steadyiqa::models
