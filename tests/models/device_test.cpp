// Scorers on another device than the processor.
#include "parallel/device.h"
#include "models/model_test_support.h"
#include "models/scorer.h"
#include "pretend_device.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::models {
namespace {

using steadyiqa::testing::OnPretendDevice;

struct Case {
  std::string model;
  std::string backbone;
  std::int64_t height = 0;
  std::int64_t width = 0;
  image::CropPolicy crops{};
  bool folded = false;
};

Scorer scorer_of(const Case& c) {
  ScorerOptions options;
  options.model = c.model;
  options.backbone = c.backbone;
  options.crop = c.model == "compact" ? 32 : 224;
  options.crops = c.crops;
  options.purification = {parse_purifier("blur:kernel=3")};
  options.scale = {.name = "test", .calibration = {2.0, 40.0}, .calibrated = true};
  Scorer scorer(hash_network(c.model, c.backbone), options);
  if (c.folded) {
    scorer.fold_batch_norm();
  }
  return scorer;
}

class OnDevice : public ::testing::TestWithParam<Case> {};

TEST_P(OnDevice, ScoresAndInputGradientsAreTheProcessorsAndReturnThere) {
  const auto pixels = hash_pixels(3, 1, GetParam().height, GetParam().width);
  const auto of = [&](const Scorer& scorer) {
    return input_gradient([&](const torch::Tensor& x) { return scorer.score(x); }, pixels);
  };
  const auto expected = of(scorer_of(GetParam()));
  const OnPretendDevice pretend;
  const auto scorer = scorer_of(GetParam());
  EXPECT_EQ(scorer.network().parameters().front().device(), parallel::device());
  const auto found = of(scorer);
  EXPECT_TRUE(found.scores.is_cpu());
  EXPECT_TRUE(found.gradient.is_cpu());
  // The same kernels, other numbers of crops at once.
  EXPECT_NEAR(found.scores.item<double>(), expected.scores.item<double>(), 1e-4);
  EXPECT_LT((found.gradient - expected.gradient).norm().item<double>(), 1e-4 * expected.gradient.norm().item<double>());
}

INSTANTIATE_TEST_SUITE_P(
    Models, OnDevice,
    ::testing::Values(
        Case{"compact", "", 50, 41, {.kind = image::CropKind::kGrid, .count = 9}},
        Case{"compact", "", 50, 41, {.kind = image::CropKind::kGrid, .count = 4, .pooling = image::Pooling::kWeighted}},
        Case{"hyperiqa", "mobilenet_v2", 230, 240, {.kind = image::CropKind::kGrid, .count = 9}, true},
        Case{"hyperiqa", "resnet50", 224, 224, {.kind = image::CropKind::kCentre}},
        Case{"dbcnn", "", 70, 66, {.kind = image::CropKind::kWhole}},
        Case{"linearityiqa", "resnet18", 100, 80, {.kind = image::CropKind::kWhole}, true}),
    [](const auto& tested) { return fmt::format("{}{}", tested.index, tested.param.model); });

// Seconds each, forward alone. With hash weights rounding is magnified: golden values hold to 1e-3, too.
TEST(OnDevice, ManiqasScoreIsTheProcessors) {
  const torch::NoGradGuard no_grad;
  const Case maniqa{"maniqa", "", 224, 224, {.kind = image::CropKind::kCentre}};
  const auto pixels = hash_pixels(3, 1, 224, 224);
  const auto expected = scorer_of(maniqa).score(pixels).item<double>();
  const OnPretendDevice pretend;
  EXPECT_NEAR(scorer_of(maniqa).score(pixels).item<double>(), expected, 1e-3 * std::abs(expected));
}

}  // namespace
}  // namespace steadyiqa::models
