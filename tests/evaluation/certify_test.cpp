#include "evaluation/certify.h"

#include "attacks/tiny_scorer.h"
#include "stats/median_smoothing.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::evaluation {
namespace {

using ::steadyiqa::testing::raw_score;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_scorer;

models::Scorer calibrated() {
  auto scorer = tiny_scorer(10.0);
  scorer.set_scale({"test", {20.0, 40.0}, true});
  return scorer;
}

TEST(Certify, IsTheSameEveryTimeAndAnotherWithAnotherSeed) {
  const auto scorer = calibrated();
  const auto pixels = tiny_images(1)[0];
  const CertifyOptions options{.sigma = 0.05, .radius = 0.02, .samples = 60, .confidence = 0.9};
  const auto first = certify(scorer, pixels, options);
  EXPECT_EQ(first.median, certify(scorer, pixels, options).median);
  auto other = options;
  other.seed = 1;
  EXPECT_NE(first.median, certify(scorer, pixels, other).median);
}

TEST(Certify, IntervalHoldsTheMedianOfAChangedImage) {
  const auto scorer = calibrated();
  const auto pixels = tiny_images(1)[0];
  const CertifyOptions options{.sigma = 0.05, .radius = 0.05, .samples = 300, .confidence = 0.999};
  const auto clean = certify(scorer, pixels, options);
  ASSERT_TRUE(clean.bounds);
  EXPECT_LT(clean.bounds->low, clean.median);
  EXPECT_GT(clean.bounds->high, clean.median);
  // The worst way there is at first order, at the whole radius.
  const auto gradient = models::input_gradient([&](const torch::Tensor& x) { return scorer.raw(x); }, pixels).gradient;
  for (const double sign : {1.0, -1.0}) {
    const auto moved = certify(scorer, pixels + sign * options.radius * gradient / gradient.norm(), options);
    EXPECT_GE(moved.median, clean.bounds->low);
    EXPECT_LE(moved.median, clean.bounds->high);
  }
}

TEST(Certify, HasNoIntervalWhereSamplesAreTooFew) {
  const auto score = certify(calibrated(), tiny_images(1)[0], {.sigma = 0.12, .radius = 0.25, .samples = 100});
  EXPECT_FALSE(score.bounds);
  EXPECT_TRUE(to_json(score).at("low").is_null());
  EXPECT_TRUE(to_json(score).at("certified_delta").is_null());
  EXPECT_TRUE(std::isfinite(score.median));
}

TEST(Certify, LinfEquivalentLiesWithinTheRadius) {
  const auto pixels = tiny_images(1)[0];
  const auto score = certify(calibrated(), pixels, {.radius = 0.3, .samples = 1});
  const auto change = torch::full_like(pixels, score.linf_equivalent);
  EXPECT_NEAR(change.norm().item<double>(), 0.3, 1e-5);
}

}  // namespace
}  // namespace steadyiqa::evaluation
