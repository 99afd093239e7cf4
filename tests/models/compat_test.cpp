#include "models/compat.h"

#include "base/expect_error.h"
#include "models/model_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace steadyiqa::models {
namespace {

using steadyiqa::testing::error_message;
using ::testing::HasSubstr;

TEST(Compat, EveryModelHasOurRowAndEveryRowCanBe) {
  for (const auto& info : model_catalogue()) {
    EXPECT_EQ(find_compat(info.name, Compat::kOurs).input.orientation, image::Orientation::kApplied);
  }
  for (const auto& row : compat_table()) {
    check(row.crops);
    static_cast<void>(image::resize_rule(row.input));
    EXPECT_EQ(&find_compat(row.model, row.compat), &row) << "a second row of " << row.model;
  }
}

TEST(Compat, WhatIsNotThereIsNamed) {
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { static_cast<void>(find_compat("linearityiqa", Compat::kPyiqa)); }),
              HasSubstr("no preprocessing of 'pyiqa', only of: ours, official"));
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { static_cast<void>(compat_from("pyiqua")); }), HasSubstr("pyiqa"));
}

// SSL92/hyperIQA demo.py: transforms.Resize((512, 384)), ten crops. Height comes first: landscapes become portraits.
TEST(Compat, OfficialHyperIqaResizesToPortraitAndReportsItsOwnScale) {
  const torch::NoGradGuard no_grad;
  auto options = published_options("hyperiqa", "mobilenet_v2", Compat::kOfficial);
  EXPECT_EQ(preprocessing_text(options), "resize 512x384 pillow-bilinear, random 10 of 224px");
  const auto scale = reported_scale(options);
  EXPECT_DOUBLE_EQ(scale.line(63.5), 63.5);
  EXPECT_DOUBLE_EQ(options.scale.calibration(63.5), 63.5);
  EXPECT_EQ(scale.max, 100);
  const Scorer scorer(make_network("hyperiqa", "mobilenet_v2"), options);
  EXPECT_EQ(scorer.crops(hash_pixels(1, 1, 60, 80)).sizes(), (std::vector<std::int64_t>{10, 3, 224, 224}));
}

TEST(Compat, PyiqaScoresOf0To1AreCalibratedTo0To100) {
  const auto options = published_options("hyperiqa", "resnet50", Compat::kPyiqa);
  EXPECT_EQ(preprocessing_text(options), "uniform 25 of 224px");
  EXPECT_TRUE(options.scale.calibrated);
  EXPECT_DOUBLE_EQ(options.scale.calibration(0.62), 62);
  EXPECT_DOUBLE_EQ(reported_scale(options).line(0.62), 0.62);
  EXPECT_EQ(reported_scale(options).max, 1);
}

TEST(Compat, ACentreCropIsOneWhateverTheCount) {
  ScorerOptions options;
  options.crops.kind = image::CropKind::kCentre;
  options.crops.count = 9;
  EXPECT_EQ(preprocessing_text(options), "centre of 224px");
}

TEST(Compat, PreprocessingChangesTheMeaningOfTheScoreStays) {
  ScorerOptions options;
  options.model = "hyperiqa";
  options.scale = {.name = "MOS 0-100 of livec", .calibration = {-2, 90}, .calibrated = true};
  apply_compat(options, Compat::kPyiqa);
  EXPECT_EQ(options.crops.count, 25);
  EXPECT_EQ(options.input.small_images, image::SmallImages::kPastCrop);
  EXPECT_DOUBLE_EQ(options.scale.calibration(10), 70);
  const auto scale = reported_scale(options);  // not published weights: raw output, its range not known
  EXPECT_DOUBLE_EQ(scale.line(10), 10);
  EXPECT_TRUE(std::isnan(scale.max));
  EXPECT_FALSE(scale.higher_is_better);
  apply_compat(options, Compat::kOurs);
  EXPECT_DOUBLE_EQ(reported_scale(options).line(10), 70);
}

TEST(NativeScale, LinesAndDirectionsLeadTo0To100) {
  const auto score = [](const NativeScale& native, double raw) { return native.to_0_100()(raw); };
  // DMOS 0-80, lower is better: raw 2 -> 20 (k = 5, b = 10) -> a quarter of the way from the best -> 75.
  const NativeScale dmos = {.labels = {0, 80, stats::Direction::kLowerIsBetter, "d"}, .line = {5, 10}};
  EXPECT_DOUBLE_EQ(score(dmos, 2), 75);
  EXPECT_DOUBLE_EQ(score({.labels = {.min = 1, .max = 5}, .line = {1, 0}}, 2), 25);
  const auto scale = scale_of(dmos);
  EXPECT_TRUE(scale.calibrated);
  EXPECT_DOUBLE_EQ(scale.calibration(2), 75);
  ASSERT_TRUE(scale.native);
  EXPECT_DOUBLE_EQ(scale.native->line(2), 20);
}

}  // namespace
}  // namespace steadyiqa::models
