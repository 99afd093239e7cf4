#include "models/backbones.h"

#include "base/digest.h"
#include "models/cost.h"
#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

void expect_strides_and_channels(Backbone& backbone) {
  torch::NoGradGuard no_grad;
  backbone.eval();
  const auto taps = backbone.forward(torch::zeros({2, 3, 64, 96}));
  for (std::size_t i = 0; i < 4; ++i) {
    const std::int64_t stride = 4LL << i;
    EXPECT_EQ(taps.at(i).sizes(), (std::vector<std::int64_t>{2, backbone.channels().at(i), 64 / stride, 96 / stride}))
        << "tap " << i;
  }
}

// The digests are SHA-256 of torchvision 0.14.1's own names and shapes, in Python (also for resnet18, ...):
//   sd = torchvision.models.resnet50(weights=None).state_dict()
//   sha256("".join(k + " " + ",".join(map(str, sd[k].shape)) + "\n" for k in sorted(sd) if not k.startswith("fc.")))
TEST(Backbones, ResNetsHaveTorchvisionsNamesAndShapes) {
  struct Known {
    const char* name;
    std::size_t entries;
    std::int64_t parameters;
    const char* digest;
  };
  constexpr std::array<Known, 4> kKnown = {
      {{"resnet18", 120, 11'176'512, "3e34a2f80f6cfe7540a568fe5582b88aaa43cb09dbd4fdd56b30a5350a53ec17"},
       {"resnet34", 216, 21'284'672, "d0260ee94508a8b772f499efd2c489dabd90edd32ef0e8040e5bad2d9829e9b5"},
       {"resnet50", 318, 23'508'032, "bc03a2d212be41e17ba23d586efe27c5b72e5b00d2f681ad1207cb11965a551a"},
       {"resnext101_32x8d", 624, 86'742'336, "e8ea5eb827cec23e902913f29daa71ebbe2615673c505db62bf188bf9b0782f3"}}};
  for (const auto& known : kKnown) {
    const auto backbone = make_backbone(known.name);
    EXPECT_EQ(state_entries(*backbone).size(), known.entries) << known.name;
    EXPECT_EQ(sha256_hex(name_and_shape_lines(*backbone, true)), known.digest) << known.name;
    EXPECT_EQ(parameter_count(*backbone), known.parameters) << known.name;
  }
}

// As above with mobilenet_v2, keys that start with "features." and are no num_batches_tracked.
TEST(Backbones, MobileNetV2HasTorchvisionsNamesAndShapes) {
  const auto backbone = make_mobilenet_v2();
  const auto lines = name_and_shape_lines(*backbone, false);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 260);
  EXPECT_EQ(sha256_hex(lines), "b8a6e6b7f0d9e1389f69f5eb7a39467e1c45537982727897a32b88daa42eaf26");
  EXPECT_EQ(parameter_count(*backbone), 2'223'872);
}

TEST(Backbones, ResNetsTapAtStrides4To32) {
  const auto resnet50 = make_backbone("resnet50");
  EXPECT_EQ(resnet50->channels(), (std::array<std::int64_t, 4>{256, 512, 1024, 2048}));
  expect_strides_and_channels(*resnet50);
  const auto resnet18 = make_backbone("resnet18");
  EXPECT_EQ(resnet18->channels(), (std::array<std::int64_t, 4>{64, 128, 256, 512}));
  expect_strides_and_channels(*resnet18);
}

TEST(Backbones, MobileNetV2TapsAtStrides4To32) {
  const auto backbone = make_mobilenet_v2();
  EXPECT_EQ(backbone->channels(), (std::array<std::int64_t, 4>{24, 32, 96, 1280}));
  expect_strides_and_channels(*backbone);
}

}  // namespace
}  // namespace steadyiqa::models
