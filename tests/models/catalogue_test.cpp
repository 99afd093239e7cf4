#include "models/catalogue.h"

#include "base/expect_error.h"
#include "models/cost.h"
#include "models/model_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

using steadyiqa::testing::error_message;
using ::testing::HasSubstr;

TEST(Catalogue, EveryModelSaysWhereItComesFrom) {
  for (const auto& info : model_catalogue()) {
    for (const auto* fact : {&info.help, &info.paper, &info.code, &info.code_licence, &info.weights_licence,
                             &info.score_range, &info.native_input, &info.recipe}) {
      EXPECT_FALSE(fact->empty()) << info.name;
    }
  }
}

// Parameters and multiply-adds by the table of models.md section 0, which the authors' code gave in Python.
void expect_cost(const std::string& model, const std::string& backbone, std::int64_t parameters, double gmac,
                 double tolerance = 5e-4) {
  SCOPED_TRACE(model + " " + backbone);
  const auto network = make_network(model, backbone);
  EXPECT_EQ(parameter_count(*network), parameters);
  EXPECT_NEAR(static_cast<double>(multiply_adds(*network, hash_input(1, 1, 224, 224))) / 1e9, gmac, tolerance);
}

TEST(Cost, IsThatOfTheTable) {
  expect_cost("hyperiqa", "resnet50", 27'375'369, 4.291);
  expect_cost("dbcnn", "", 15'311'345, 16.494);
  expect_cost("linearityiqa", "resnet18", 12'528'323, 1.815);
  expect_cost("linearityiqa", "resnet34", 22'636'483, 3.665);
  expect_cost("linearityiqa", "resnet50", 27'219'139, 4.091);
}

// A few seconds: 90 and 136 million parameters are built, and 155 billion multiply-adds run.
TEST(Cost, OfTheLargeNetworksIsThatOfTheTable) {
  expect_cost("linearityiqa", "resnext101_32x8d", 90'453'443, 16.416);
  expect_cost("maniqa", "", 135'747'530, 138.4, 0.05);  // blocks 10, 11, norm and head do not run
}

TEST(Cost, CountsEachImageOfABatchAlike) {
  const auto network = compact_network();
  EXPECT_EQ(multiply_adds(*network, hash_input(1, 3, 64, 32)), 3 * multiply_adds(*network, hash_input(1, 1, 64, 32)));
  EXPECT_TRUE(network->is_training());
}

TEST(Catalogue, EmptyBackboneIsThePapers) {
  const auto network = make_network("hyperiqa", "");
  EXPECT_TRUE(network->named_parameters().contains("res.layer1.0.conv1.weight"));
}

TEST(Catalogue, UnknownNamesGiveTheNearest) {
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { static_cast<void>(find_model("hyperqa")); }),
              HasSubstr("unknown model 'hyperqa' (did you mean 'hyperiqa'?)"));
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { static_cast<void>(make_network("compakt", "")); }),
              HasSubstr("did you mean 'compact'?"));
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { static_cast<void>(make_network("hyperiqa", "resnet-50")); }),
              HasSubstr("has no backbone 'resnet-50' (did you mean 'resnet50'?)"));
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { static_cast<void>(make_network("compact", "resnet50")); }),
              HasSubstr("model 'compact' has no backbone 'resnet50'"));
}

TEST(MostlyProducts, IsTheTransformerAlone) {
  for (const auto& info : model_catalogue()) {
    EXPECT_EQ(mostly_products(*make_network(info.name, "")), info.name == "maniqa") << info.name;
  }
}

}  // namespace
}  // namespace steadyiqa::models
