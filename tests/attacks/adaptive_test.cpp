// Attacks on purified and randomised scorers: straight-through (BPDA) and EOT gradients, and what judges them.
#include "attacks/catalogue.h"
#include "attacks/tiny_scorer.h"
#include "base/expect_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::raw_score;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_scorer;
using ::testing::HasSubstr;

models::Scorer with_purification(models::Scorer scorer, const std::vector<std::string>& texts) {
  auto options = scorer.options();
  options.purification = models::parse_purification(texts);
  scorer.set_options(options);
  return scorer;
}

Problem upwards(Victim& victim, const torch::Tensor& pixels) {
  return {victim, pixels, torch::ones({pixels.size(0)}), {}, 8.0 / 255.0, {1}};
}

torch::Tensor bare_gradient(const models::Scorer& scorer, const torch::Tensor& pixels) {
  return models::input_gradient([&](const torch::Tensor& x) { return scorer.raw(x); }, pixels).gradient;
}

TEST(AdaptiveGradient, IsTheBareNetworksAtThePurifiedPoint) {
  const auto bare = tiny_scorer();
  const auto scorer = with_purification(bare, {"median:kernel=3", "jpeg:quality=30"});
  const auto pixels = tiny_images(1)[0];
  ScorerVictim victim(scorer);
  auto problem = upwards(victim, pixels);
  const auto at = problem.gradient(pixels);
  const auto point = models::purified(pixels, scorer.options().purification);
  EXPECT_TRUE(torch::allclose(at.gradient, bare_gradient(bare, point), 1e-5, 1e-7));
  EXPECT_FALSE(torch::allclose(at.gradient, bare_gradient(bare, pixels), 1e-2, 1e-4));
  EXPECT_EQ(at.values.item<double>(), raw_score(scorer, pixels));
  EXPECT_EQ(problem.calls(), 1);
}

TEST(AdaptiveGradient, OffIsTheBareNetworksWhileScoresStayThePurifiedOnes) {
  const auto bare = tiny_scorer();
  const auto scorer = with_purification(bare, {"jpeg:quality=30", "noise:sigma=0.1"});
  const auto pixels = tiny_images(1)[0];
  ScorerVictim victim(scorer, Unit::kImage, Adaptive::kOff);
  auto problem = upwards(victim, pixels);
  const auto expected = bare_gradient(bare, pixels);
  EXPECT_TRUE(
      torch::allclose(problem.gradient(pixels).gradient, expected, 1e-4, 1e-5 * expected.abs().max().item<double>()));
  EXPECT_NEAR(problem.values(pixels).item<double>(), raw_score(scorer, pixels), 1e-4);
  EXPECT_EQ(problem.calls(), 2);
}

/// Of draw k the score is (k + 1) x sum of squares / 2.
class DrawnVictim : public Victim {
 public:
  torch::Tensor raw(const torch::Tensor& pixels) override { return raw_for_gradient(pixels, 99); }
  [[nodiscard]] bool has_gradient() const override { return true; }
  [[nodiscard]] std::int64_t gradient_draws() const override { return 4; }
  torch::Tensor raw_for_gradient(const torch::Tensor& pixels, std::int64_t draw) override {
    return pixels.square().sum({1, 2, 3}) * (0.5 * static_cast<double>(draw + 1));
  }
  [[nodiscard]] stats::Affine calibration() const override { return {}; }
};

TEST(AdaptiveGradient, IsTheMeanOverTheVictimsDraws) {
  DrawnVictim victim;
  const auto pixels = tiny_images(1)[0];
  auto problem = upwards(victim, pixels);
  const auto penalty = [](const torch::Tensor& x) { return -x.sum({1, 2, 3}); };
  const auto at = problem.gradient(pixels, penalty);
  EXPECT_TRUE(torch::allclose(at.gradient, 2.5 * pixels - 1, 1e-5, 1e-6));  // (1 + 2 + 3 + 4) / 4, the penalty once
  const double expected = (1.25 * pixels.square().sum() - pixels.sum()).item<double>();
  EXPECT_NEAR(at.values.item<double>(), expected, 1e-4 * std::abs(expected));
  EXPECT_EQ(problem.gradient_calls(), 4);
}

/// Half the sum of squares: at x plus noise the gradient is x plus noise.
class HalfSquares : public models::Network {
 public:
  torch::Tensor forward(const torch::Tensor& x) override { return x.square().sum({1, 2, 3}) / 2; }
};

TEST(AdaptiveGradient, AveragesNoiseThatIsNotTheJudges) {
  auto options = testing::tiny_options();
  options.normalisation = {{0, 0, 0}, {1, 1, 1}};
  options.crops.kind = image::CropKind::kWhole;
  options.purification = models::parse_purification({"noise:sigma=0.1,draws=1"});
  const models::Scorer scorer(std::make_shared<HalfSquares>(), options);
  const auto pixels = tiny_images(1)[0];
  const auto judges = models::purified(pixels, options.purification, 0) - pixels;
  for (const std::int64_t draws : {1, 9}) {
    ScorerVictim victim(scorer, Unit::kImage, Adaptive::kOn, draws);
    auto problem = upwards(victim, pixels);
    const auto noise = problem.gradient(pixels).gradient - pixels;
    // 12288 values: 4 standard errors are 4 / sqrt(2 x 12288) of the deviation, and 4 / sqrt(12288) of a correlation.
    const double deviation = 0.1 / std::sqrt(static_cast<double>(draws));
    EXPECT_NEAR(noise.std().item<double>(), deviation, 0.026 * deviation);
    EXPECT_NEAR((noise * judges).mean().item<double>() / (deviation * 0.1), 0, 0.036);
    EXPECT_EQ(problem.calls(), draws);
  }
}

TEST(AdaptiveAttack, CountsItsDrawsRepeatsAndIsJudgedAsDeployed) {
  const auto scorer = with_purification(tiny_scorer(), {"noise:sigma=0.05,draws=2", "jpeg:quality=50"});
  const auto pixels = tiny_images(1)[0];
  AttackOptions options{.attack = AttackSpec::parse("ifgsm:steps=3"), .epsilon = 8.0 / 255.0};
  options.eot_draws = 5;
  const auto attack = make_attack(options.attack);
  const auto first = attack->run(scorer, pixels, options);
  EXPECT_EQ(first.model_calls, 3 * 5 + 3);  // clean, before rounding, after
  EXPECT_EQ(first.attacked_raw, raw_score(scorer, first.attacked));
  EXPECT_EQ(first.clean_raw, raw_score(scorer, pixels));
  const auto again = attack->run(scorer, pixels, options);
  EXPECT_TRUE(torch::equal(again.attacked, first.attacked));
  EXPECT_EQ(again.attacked_raw, first.attacked_raw);
}

TEST(AdaptiveAttack, IsStrongerThanTheOneThatIgnoresThePurification) {
  for (const auto& texts : std::vector<std::vector<std::string>>{{"jpeg:quality=30"}, {"blur:kernel=5"}}) {
    const auto scorer = with_purification(tiny_scorer(), texts);
    double change[2] = {0, 0};
    for (const auto& pixels : tiny_images(6)) {
      for (const auto adaptive : {Adaptive::kOn, Adaptive::kOff}) {
        AttackOptions options{.attack = {"ifgsm"}, .epsilon = 8.0 / 255.0, .direction = Direction::kUp};
        options.adaptive = adaptive;
        const auto result = make_attack(options.attack)->run(scorer, pixels, options);
        change[static_cast<int>(adaptive)] += result.attacked_raw - result.clean_raw;
      }
    }
    EXPECT_GT(change[0], 1.2 * change[1]) << texts[0] << " " << change[1];
  }
}

TEST(AdaptiveAttack, OfCropsIsRefusedWhereTheWholeImageIsPurified) {
  const auto scorer = with_purification(tiny_scorer(), {"bits"});
  const AttackOptions options{.epsilon = 0.01, .unit = Unit::kCrop};
  EXPECT_THAT(
      error_message(ErrorKind::kUsage,
                    [&] { static_cast<void>(make_attack(options.attack)->run(scorer, tiny_images(1)[0], options)); }),
      HasSubstr("purifies the whole image"));
}

}  // namespace
}  // namespace steadyiqa::attacks
