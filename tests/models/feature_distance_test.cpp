#include "models/feature_distance.h"

#include "base/digest.h"
#include "base/expect_error.h"
#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

using steadyiqa::testing::error_message;

/// With the weights of make_feature_distance_values.py, in float64.
std::shared_ptr<FeatureDistance> in_hash_weights(std::shared_ptr<FeatureDistance> distance) {
  fill_hash_weights(*distance);
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : state_entries(*distance)) {
    if (name.starts_with("lin") || name == "alpha" || name == "beta") {
      tensor.abs_();
    }
  }
  distance->to(torch::kFloat64);
  return distance;
}

/// The images that the script compares; the second ones are the first with noise of up to a tenth.
struct Pair {
  torch::Tensor x, y;
};
Pair pair(std::int64_t height, std::int64_t width) {
  const auto x = hash_pixels(21, 2, height, width).to(torch::kFloat64);
  const auto noise = hash_pixels(22, 2, height, width).to(torch::kFloat64) - 0.5;
  return {x, (x + 0.2 * noise).clamp(0, 1)};
}

torch::Tensor between(FeatureDistance& distance, const torch::Tensor& x, const torch::Tensor& y) {
  return distance.between(distance.features(x), distance.features(y));
}

struct Case {
  std::shared_ptr<FeatureDistance> distance;
  Pair images;
  std::vector<double> expected;
  const char* names;  ///< SHA-256 of the state's names and shapes
};
// tests/models/make_feature_distance_values.py
Case lpips_vgg() {
  return {in_hash_weights(make_lpips(LpipsTrunk::kVgg16)),
          pair(40, 37),
          {0.005980593393349432, 0.0060395373993497835},
          "4857a787843270d39590204a9d2ea573728f1364a94e6072d53a0d8f4e0fa5c1"};
}
Case lpips_alex() {
  return {in_hash_weights(make_lpips(LpipsTrunk::kAlexNet)),
          pair(67, 61),
          {0.005601629052388054, 0.005900067940955865},
          "583b7eeed07ffeef6482298718b909814f04efa7ff0db1b11a72da7826dd019e"};
}
Case dists() {
  return {in_hash_weights(make_dists()),
          pair(40, 37),
          {0.0034049245586391663, 0.003477923752154388},
          "d01958fe8f9fbe9e907925bba6fb24f2f951a30b8c25bd8bdee8bf2e9265c22a"};
}

class AFeatureDistance : public ::testing::TestWithParam<Case (*)()> {};
std::string distance_name(const ::testing::TestParamInfo<Case (*)()>& test) {
  constexpr std::array<const char*, 3> kNames = {"LpipsOnVgg16", "LpipsOnAlexNet", "Dists"};
  return kNames.at(test.index);
}
INSTANTIATE_TEST_SUITE_P(Of, AFeatureDistance, ::testing::Values(lpips_vgg, lpips_alex, dists), distance_name);

TEST_P(AFeatureDistance, IsThatOfPlainPyTorchUnderTheAuthorsNames) {
  const torch::NoGradGuard no_grad;
  const auto [distance, images, expected, names] = GetParam()();
  expect_values(between(*distance, images.x, images.y), expected, 1e-9);
  EXPECT_EQ(sha256_hex(name_and_shape_lines(*distance, true)), names);
}

TEST_P(AFeatureDistance, IsZeroForEqualImagesAndPositiveForOthers) {
  const torch::NoGradGuard no_grad;
  const auto test = GetParam()();
  EXPECT_LT(between(*test.distance, test.images.x, test.images.x).abs().max().item<double>(), 1e-12);
  EXPECT_LT(
      between(*test.distance, torch::zeros_like(test.images.x), torch::zeros_like(test.images.x)).max().item<double>(),
      1e-12);
  EXPECT_GT(between(*test.distance, test.images.x, test.images.y).min().item<double>(), 0);
}

// Along a direction, by central differences; DISTS' own code gives no gradient unless it is asked for one.
TEST_P(AFeatureDistance, HasTheGradientOfFiniteDifferences) {
  const auto test = GetParam()();
  const auto reference = test.distance->features(test.images.x);
  const auto score = [&](const torch::Tensor& at) {
    return test.distance->between(test.distance->features(at), reference);
  };
  const auto gradient = input_gradient(score, test.images.y).gradient;
  const auto direction = hash_pixels(23, 2, test.images.y.size(2), test.images.y.size(3)).to(torch::kFloat64) - 0.5;
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  const auto slope =
      (score(test.images.y + kStep * direction) - score(test.images.y - kStep * direction)) / (2 * kStep);
  const auto expected = (gradient * direction).sum({1, 2, 3});
  EXPECT_TRUE(torch::allclose(slope, expected, 1e-4, 1e-9)) << slope << expected;
  EXPECT_GT(expected.abs().min().item<double>(), 1e-6);
}

TEST_P(AFeatureDistance, HasAFiniteGradientWhereFeaturesAreZero) {
  const auto test = GetParam()();
  const torch::NoGradGuard no_grad;
  for (auto& parameter : test.distance->parameters()) {
    if (parameter.dim() == 1) {
      parameter.fill_(-1e3);  // no ReLU opens
    }
  }
  const auto reference = test.distance->features(test.images.x);
  const auto gradient = input_gradient(
      [&](const torch::Tensor& at) { return test.distance->between(test.distance->features(at), reference); },
      test.images.y);
  EXPECT_TRUE(torch::isfinite(gradient.scores).all().item<bool>());
  EXPECT_TRUE(torch::isfinite(gradient.gradient).all().item<bool>());
}

TEST(FeatureDistance, RefusesTinyImages) {
  const auto message = [](const std::shared_ptr<FeatureDistance>& distance, std::int64_t side) {
    return error_message(ErrorKind::kInput, [&] {
      static_cast<void>(distance->features(torch::zeros({1, 3, side, 40})));
    });
  };
  EXPECT_NE(message(make_lpips(LpipsTrunk::kVgg16), 15).find("40x15"), std::string::npos);
  EXPECT_NE(message(make_lpips(LpipsTrunk::kAlexNet), 30).find("at least 31"), std::string::npos);
  EXPECT_EQ(make_lpips(LpipsTrunk::kVgg16)->features(torch::zeros({1, 3, 16, 16})).size(), 5U);
  EXPECT_EQ(make_lpips(LpipsTrunk::kAlexNet)->features(torch::zeros({1, 3, 31, 31})).size(), 5U);
  EXPECT_EQ(make_dists()->features(torch::zeros({1, 3, 1, 1})).size(), 6U);
}

}  // namespace
}  // namespace steadyiqa::models
