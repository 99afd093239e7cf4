#include "models/catalogue.h"

#include "base/expect_error.h"
#include "models/model_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

using steadyiqa::testing::error_message;
using ::testing::HasSubstr;

TEST(Catalogue, EveryModelBuildsInitialisesAndScores) {
  torch::NoGradGuard no_grad;
  for (const auto& info : model_catalogue()) {
    auto backbones = info.backbones;
    if (backbones.empty()) {
      backbones.emplace_back("");
    }
    for (const auto& backbone : backbones) {
      SCOPED_TRACE(info.name + " " + backbone);
      EXPECT_FALSE(info.help.empty());
      EXPECT_FALSE(info.source.empty());
      const auto network = make_network(info.name, backbone);
      info.initialise(*network, 1);
      network->eval();
      const auto scores = network->forward(hash_input(1, 1, info.crop, info.crop));
      EXPECT_EQ(scores.sizes(), (std::vector<std::int64_t>{1}));
      EXPECT_TRUE(torch::isfinite(scores).all().item<bool>());
    }
  }
}

TEST(Catalogue, EmptyBackboneIsThePapers) {
  const auto network = make_network("hyperiqa", "");
  EXPECT_TRUE(network->named_parameters().contains("res.layer1.0.conv1.weight"));
}

TEST(Catalogue, AnySizeModelsTakeOtherSizes) {
  torch::NoGradGuard no_grad;
  for (const auto& info : model_catalogue()) {
    if (info.any_size) {
      const auto network = make_network(info.name, "");
      network->eval();
      EXPECT_EQ(network->forward(hash_input(1, 3, 32, 51)).sizes(), (std::vector<std::int64_t>{3})) << info.name;
    }
  }
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

}  // namespace
}  // namespace steadyiqa::models
