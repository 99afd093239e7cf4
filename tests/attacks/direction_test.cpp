// Which way a score is pushed.
#include "attacks/catalogue.h"

#include "attacks/tiny_scorer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::raw_score;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_scorer;

AttackResult attack(const models::Scorer& scorer, const torch::Tensor& pixels, Direction direction,
                    Unit unit = Unit::kImage) {
  const AttackOptions options{.epsilon = 2.0 / 255.0, .direction = direction, .unit = unit};
  return make_attack({"fgsm"})->run(scorer, pixels, options);
}

double change(const models::Scorer& scorer, const AttackResult& result) {
  return scorer.calibrate(result.attacked_raw) - scorer.calibrate(result.clean_raw);
}

/// Raw scores all above 50; calibrated, half of the images lie below it. `slope` in calibrated points per raw point.
models::Scorer split_scorer(const std::vector<torch::Tensor>& images, double slope) {
  auto scorer = tiny_scorer(70.0);
  std::vector<double> raw;
  for (const auto& pixels : images) {
    raw.push_back(raw_score(scorer, pixels));
  }
  std::sort(raw.begin(), raw.end());
  const double middle = (raw[raw.size() / 2] + raw[raw.size() / 2 - 1]) / 2;
  scorer.set_scale({"test", {slope, 50.0 - slope * middle}, true});
  return scorer;
}

TEST(Direction, UpRaisesAndDownLowersTheCalibratedScore) {
  const auto images = tiny_images(4);
  for (const double slope : {20.0, -20.0}) {  // a model whose output falls with quality must not turn the attack round
    const auto scorer = split_scorer(images, slope);
    for (const auto unit : {Unit::kImage, Unit::kCrop}) {
      for (const auto& pixels : images) {
        const auto up = attack(scorer, pixels, Direction::kUp, unit);
        EXPECT_GT(change(scorer, up), 0) << slope;
        EXPECT_EQ(up.direction, 1);
        const auto down = attack(scorer, pixels, Direction::kDown, unit);
        EXPECT_LT(change(scorer, down), 0) << slope;
        EXPECT_EQ(down.direction, -1);
      }
    }
  }
}

TEST(Direction, MidGoesAwayFromTheNearEndByTheCalibratedScore) {
  const auto images = tiny_images(6);
  for (const double slope : {20.0, -20.0}) {
    const auto scorer = split_scorer(images, slope);
    int pushed_down = 0;
    for (const auto& pixels : images) {
      const auto result = attack(scorer, pixels, Direction::kMid);
      const bool above = scorer.calibrate(result.clean_raw) > 50.0;
      EXPECT_EQ(result.direction, above ? -1 : 1);
      EXPECT_EQ(change(scorer, result) < 0, above);
      pushed_down += above ? 1 : 0;
    }
    EXPECT_EQ(pushed_down, 3);
  }
}

TEST(Direction, MidRawDecidesAndPushesByTheRawScore) {
  const auto images = tiny_images(6);
  for (const double slope : {20.0, -20.0}) {
    const auto scorer = split_scorer(images, slope);
    for (const auto& pixels : images) {
      const auto result = attack(scorer, pixels, Direction::kMidRaw);
      ASSERT_GT(result.clean_raw, 50.0);
      EXPECT_LT(result.attacked_raw, result.clean_raw) << slope;
      EXPECT_EQ(result.direction, slope > 0 ? -1 : 1);  // said of the calibrated score
    }
  }
}

TEST(Direction, BothTakesTheLargerChange) {
  const auto scorer = tiny_scorer();
  int chose_up = 0;
  const auto images = tiny_images(8);
  for (const auto& pixels : images) {
    const auto up = attack(scorer, pixels, Direction::kUp);
    const auto down = attack(scorer, pixels, Direction::kDown);
    const auto both = attack(scorer, pixels, Direction::kBoth);
    const bool up_wins = std::abs(change(scorer, up)) >= std::abs(change(scorer, down));
    EXPECT_EQ(both.attacked_raw, (up_wins ? up : down).attacked_raw);
    EXPECT_EQ(both.float_raw, (up_wins ? up : down).float_raw);
    EXPECT_EQ(both.direction, up_wins ? 1 : -1);
    chose_up += up_wins ? 1 : 0;
  }
  EXPECT_TRUE(chose_up > 0 && chose_up < static_cast<int>(images.size())) << "the images tell nothing: " << chose_up;
}

TEST(Direction, BothDoesNotCountWhatLiesBeyondTheScale) {
  auto scorer = tiny_scorer();
  const auto pixels = tiny_images(1)[0];
  const auto raw = attack(scorer, pixels, Direction::kDown);
  const double fall = raw.clean_raw - raw.attacked_raw;
  const double rise = attack(scorer, pixels, Direction::kUp).attacked_raw - raw.clean_raw;
  ASSERT_GT(std::min(fall, rise), 0.0);
  // The change that is the larger one by far has a tenth of the other's room before it leaves the scale.
  for (const bool low : {true, false}) {
    const double slope = 1000.0 / std::min(fall, rise);
    scorer.set_scale({"test", {slope, (low ? 9.0 : 91.0) - slope * raw.clean_raw}, true});
    EXPECT_EQ(attack(scorer, pixels, Direction::kBoth).direction, low ? 1 : -1);
  }
}

TEST(Direction, EachCropHasItsOwn) {
  // Two half images, one bright, one dark: with the mid-point between their scores the crops must part.
  auto scorer = tiny_scorer();
  auto pixels = tiny_images(1)[0].clone();
  pixels.slice(3, 0, 32).div_(3).mul_(255).round_().div_(255);
  torch::Tensor raw;
  {
    const torch::NoGradGuard no_grad;
    raw = scorer.raw_of_crops(scorer.crops(pixels));
  }
  scorer.set_scale({"test", {1.0, 50.0 - raw.mean().item<double>()}, true});
  const auto result = attack(scorer, pixels, Direction::kMid, Unit::kCrop);
  EXPECT_EQ(result.direction, 0);
  const torch::NoGradGuard no_grad;
  const auto after = scorer.raw_of_crops(result.attacked);
  for (std::int64_t i = 0; i < raw.numel(); ++i) {
    const bool above = raw[i].item<double>() > raw.mean().item<double>();
    EXPECT_EQ(after[i].item<double>() < raw[i].item<double>(), above) << i;
  }
}

}  // namespace
}  // namespace steadyiqa::attacks
