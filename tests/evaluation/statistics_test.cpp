#include "evaluation/statistics.h"

#include "base/error.h"
#include "stats/correlation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace steadyiqa::evaluation {
namespace {

/// Twenty images whose attacked scores are `keep` of the way between noise and the clean score.
Evaluation some(double keep) {
  Evaluation e;
  e.data_digest = "d";
  e.attack =
      AttackDescription{.name = "fgsm", .epsilon = 2.0 / 255.0, .levels = 2, .direction = "mid", .unit = "image"};
  for (int i = 0; i < 20; ++i) {
    ImageResult image;
    image.name = std::to_string(i);
    image.mos = 5.0 * i;
    image.clean = 5.0 * i + (i % 3) * 4.0;
    image.attacked = keep * image.clean + (1 - keep) * ((i * 37) % 100);
    image.gradient_l1 = 100;
    e.images.push_back(image);
  }
  summarise(e, {});
  return e;
}

const Estimate& named(const std::vector<Estimate>& list, const std::string& name) {
  for (const auto& e : list) {
    if (e.name == name) {
      return e;
    }
  }
  throw Error(ErrorKind::kUsage, name);
}

TEST(Estimates, AreTheEvaluationsOwnMeasures) {
  const auto e = some(0.5);
  const auto list = estimates(e, {.resamples = 200});
  EXPECT_EQ(named(list, "srocc_clean").value, e.clean.srocc);
  EXPECT_EQ(named(list, "srocc_attacked").value, e.attacked->with_mos.srocc);
  EXPECT_EQ(named(list, "change_mean").value, e.attacked->change.mean_absolute);
  EXPECT_EQ(named(list, "r_natural").value, e.attacked->robustness.natural);
  for (const auto& estimate : list) {
    EXPECT_LE(estimate.interval.low, estimate.value) << estimate.name;
    EXPECT_GE(estimate.interval.high, estimate.value) << estimate.name;
  }
}

TEST(Estimates, WithoutAttackAreOfCleanScores) {
  auto e = some(0.5);
  e.attack.reset();
  const auto list = estimates(e, {.resamples = 50});
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].name, "srocc_clean");
}

TEST(Estimates, OfImagesWithoutRatingHaveNoCorrelation) {
  auto e = some(0.5);
  e.images[3].mos = std::nan("");
  const auto list = estimates(e, {.resamples = 50});
  EXPECT_TRUE(std::isnan(named(list, "srocc_attacked").value));
  EXPECT_TRUE(std::isnan(named(list, "srocc_attacked").interval.low));
  EXPECT_FALSE(std::isnan(named(list, "change_mean").value));
}

TEST(Differences, ArePairedSoThatEqualModelsDifferByNothing) {
  for (const auto& estimate : differences(some(0.5), some(0.5), {.resamples = 50})) {
    EXPECT_EQ(estimate.value, 0.0) << estimate.name;
    EXPECT_EQ(estimate.interval.low, 0.0) << estimate.name;
    EXPECT_EQ(estimate.interval.high, 0.0) << estimate.name;
  }
}

TEST(Differences, AreOtherMinusBase) {
  const auto list = differences(some(0.1), some(0.9), {.resamples = 200});
  EXPECT_GT(named(list, "srocc_attacked").value, 0.0);
  EXPECT_GT(named(list, "srocc_attacked").interval.low, 0.0);
  EXPECT_LT(named(list, "change_mean").value, 0.0);
}

TEST(Differences, NeedTheSameImages) {
  auto other = some(0.5);
  other.images.pop_back();
  EXPECT_THROW((void)differences(some(0.5), other), Error);
}

TEST(Curves, AreByAttackAndRisingBudget) {
  auto wide = some(0.2);
  wide.attack->epsilon = 4.0 / 255.0;
  auto other = some(0.5);
  other.attack->direction = "up";
  auto longer = some(0.5);
  longer.attack->parameters = {{"steps", 20}};
  const std::vector<Evaluation> list = {wide, other, some(0.5), longer};
  const auto made = curves(list);
  ASSERT_EQ(made.size(), 3U);
  EXPECT_EQ(made[0].attack, "fgsm, direction mid, unit image");
  EXPECT_EQ(made[0].epsilon, (std::vector<double>{2.0 / 255.0, 4.0 / 255.0}));
  EXPECT_EQ(made[0].change[1], wide.attacked->change.mean_absolute);
  // By hand: a triangle up to the first budget, a trapezium from it, over the last budget, of 100 points.
  const double a = made[0].change[0];
  const double b = made[0].change[1];
  EXPECT_NEAR(made[0].integral_score, (a / 2 * 2 + (a + b) / 2 * 2) / 4 / 100, 1e-12);
}

/// A store with one model, three images and their rows of the first-order bound.
class Theory : public ::testing::Test {
 protected:
  void SetUp() override {
    StoredModel model;
    model.head.model_sha256 = "s";
    plan_ = {.protocol = "",
             .protocol_digest = "p",
             .protocol_document = {{"bounds_px", {0.01}}},
             .model = model.key(),
             .image_set = "set",
             .data_name = "d",
             .attacks = {},
             .bounds = {0.01}};
    store_.begin(plan_, model, {{"a", "a.png", 1}, {"b", "b.png", 2}, {"c", "c.png", 3}});
    const double gradients[] = {100, 200, 400};
    const BoundRow rows[] = {{0.01, 1.0, 0.9, 0.9, 0.8}, {0.01, 2.0, 1.8, 2.2, 1.0}, {0.01, 4.0, 3.5, 3.0, 3.4}};
    for (int i = 0; i < 3; ++i) {
      ImageResult clean;
      clean.gradient_l1 = gradients[i];
      const auto image = std::string(1, static_cast<char>('a' + i));
      store_.put_clean(plan_.model, image, clean);
      store_.put_bound(plan_.model, image, rows[i]);
    }
  }
  ResultStore store_;
  StoredPlan plan_;
};

TEST_F(Theory, ComparesTheChangeWithTheGradientNorm) {
  const auto list = theory(store_, plan_);
  ASSERT_EQ(list.size(), 1U);
  // x = 1, 2, 4; y = 0.9, 2.2, 3.4
  EXPECT_NEAR(list[0].slope, (0.9 + 4.4 + 13.6) / 21.0, 1e-12);
  EXPECT_NEAR(list[0].pearson, stats::plcc(std::vector<double>{1, 2, 4}, std::vector<double>{0.9, 2.2, 3.4}), 1e-12);
  EXPECT_EQ(list[0].spearman, 1.0);
  EXPECT_NEAR(list[0].violation_rate, 1.0 / 6.0, 1e-12);  // one of six: 2.2 above 2.0
  EXPECT_NEAR(list[0].mean_change, 6.5 / 3, 1e-12);
  EXPECT_NEAR(list[0].mean_bound, 7.0 / 3, 1e-12);
}

}  // namespace
}  // namespace steadyiqa::evaluation
