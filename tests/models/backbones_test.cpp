#include "models/backbones.h"

#include "base/digest.h"
#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

std::int64_t parameter_count(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const auto& parameter : module.parameters()) {
    count += parameter.numel();
  }
  return count;
}

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

// The digests are SHA-256 of torchvision 0.14.1's own names and shapes, in Python:
//   sd = torchvision.models.resnet50(weights=None).state_dict()
//   sha256("".join(k + " " + ",".join(map(str, sd[k].shape)) + "\n" for k in sorted(sd) if not k.startswith("fc.")))
TEST(Backbones, ResNet50HasTorchvisionsNamesAndShapes) {
  const auto backbone = make_resnet50();
  EXPECT_EQ(state_entries(*backbone).size(), 318U);
  EXPECT_EQ(sha256_hex(name_and_shape_lines(*backbone, true)),
            "bc03a2d212be41e17ba23d586efe27c5b72e5b00d2f681ad1207cb11965a551a");
  EXPECT_EQ(parameter_count(*backbone), 23'508'032);
}

// As above with mobilenet_v2, keys that start with "features." and are no num_batches_tracked.
TEST(Backbones, MobileNetV2HasTorchvisionsNamesAndShapes) {
  const auto backbone = make_mobilenet_v2();
  const auto lines = name_and_shape_lines(*backbone, false);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 260);
  EXPECT_EQ(sha256_hex(lines), "b8a6e6b7f0d9e1389f69f5eb7a39467e1c45537982727897a32b88daa42eaf26");
  EXPECT_EQ(parameter_count(*backbone), 2'223'872);
}

TEST(Backbones, ResNet50TapsAtStrides4To32) {
  const auto backbone = make_resnet50();
  EXPECT_EQ(backbone->channels(), (std::array<std::int64_t, 4>{256, 512, 1024, 2048}));
  expect_strides_and_channels(*backbone);
}

TEST(Backbones, MobileNetV2TapsAtStrides4To32) {
  const auto backbone = make_mobilenet_v2();
  EXPECT_EQ(backbone->channels(), (std::array<std::int64_t, 4>{24, 32, 96, 1280}));
  expect_strides_and_channels(*backbone);
}

}  // namespace
}  // namespace steadyiqa::models
