#include "stats/robustness.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace steadyiqa::stats {
namespace {

using List = std::vector<double>;

TEST(AffineTest, MatchesPolyfit) {
  // numpy.polyfit([1, 2, 4, 7, 11.5, -3], [10, 12.5, 14, 30, 41, 3.25], 1)
  const Affine line = fit_affine(List{1, 2, 4, 7, 11.5, -3}, List{10, 12.5, 14, 30, 41, 3.25});
  EXPECT_NEAR(line.slope, 2.7384236453201973, 1e-12);
  EXPECT_NEAR(line.intercept, 8.189244663382594, 1e-12);
  EXPECT_NEAR(line(2.0), 13.666091954022988, 1e-12);
}

TEST(AffineTest, OfConstantPredictionsIsTheMeanMos) {
  const Affine line = fit_affine(List(7, 0.1), List{1, 2, 3, 4, 5, 6, 14});
  EXPECT_EQ(line.slope, 0.0);
  EXPECT_DOUBLE_EQ(line.intercept, 5.0);
}

TEST(PercentileTest, MatchesNumpy) {
  // numpy.percentile(values, p)
  const List values{3.2, -1.5, 8.25, 0.1, 7.7, 2.9, 4.4};
  EXPECT_DOUBLE_EQ(percentile(values, 0), -1.5);
  EXPECT_DOUBLE_EQ(percentile(values, 5), -1.02);
  EXPECT_DOUBLE_EQ(percentile(values, 50), 3.2);
  EXPECT_DOUBLE_EQ(percentile(values, 95), 8.084999999999999);
  EXPECT_DOUBLE_EQ(percentile(values, 97.3), 8.1609);
  EXPECT_DOUBLE_EQ(percentile(values, 100), 8.25);
  EXPECT_DOUBLE_EQ(percentile(List{4.5}, 30), 4.5);
  EXPECT_THROW((void)percentile(values, 100.1), Error);
  EXPECT_THROW((void)percentile(values, NAN), Error);
}

TEST(SpreadTest, DividesByN) {
  EXPECT_DOUBLE_EQ(spread(List{2, 4, 4, 4, 5, 5, 7, 9}), 2.0);
  EXPECT_EQ(spread(List(10, 0.1)), 0.0);
  EXPECT_DOUBLE_EQ(mean(List{1, 2, 6}), 3.0);
}

TEST(RobustnessTest, FollowsEquationSixByHand) {
  // Scores 30 and 80 may move by at most 70 and 80; they moved by 7 and 20: R = (log 10 + log 4) / 2.
  const Robustness r = robustness_r(List{30, 80}, List{37, 60});
  EXPECT_NEAR(r.natural, 0.5 * std::log(40.0), 1e-12);
  EXPECT_NEAR(r.log10, 0.5 * std::log10(40.0), 1e-12);
}

TEST(RobustnessTest, UnmovedScoresAreKeptFinite) {
  EXPECT_NEAR(robustness_r(List{50}, List{50}).log10, std::log10(50 / 1e-6), 1e-9);
}

TEST(RobustnessTest, CleanScoresAreClippedToTheScale) {
  EXPECT_NEAR(robustness_r(List{110}, List{90}).natural, std::log(100.0 / 10.0), 1e-12);
  EXPECT_NEAR(robustness_r(List{-5}, List{20}).natural, std::log(100.0 / 20.0), 1e-12);
}

TEST(ScoreChangeTest, SummarisesTheDifferences) {
  // numpy: d = attacked - clean; mean(abs(d)), percentile(abs(d), 95), median(abs(d)), mean(d), mean(abs(d)) /
  // std(clean)
  const ScoreChange change = score_change(List{10, 20, 30, 40}, List{11, 18, 36, 40});
  EXPECT_DOUBLE_EQ(change.mean_absolute, 2.25);
  EXPECT_DOUBLE_EQ(change.p95_absolute, 5.4);
  EXPECT_DOUBLE_EQ(change.median_absolute, 1.5);
  EXPECT_DOUBLE_EQ(change.mean_signed, 1.25);
  EXPECT_DOUBLE_EQ(change.share_of_spread, 0.2012461179749811);
  EXPECT_TRUE(std::isnan(score_change(List{5, 5}, List{6, 7}).share_of_spread));
}

TEST(RobustnessTest, BadInputIsANumericError) {
  for (const auto& bad : {List{}, List{1}, List{1, NAN}, List{1, INFINITY}}) {
    const List good{1, 2};
    EXPECT_THROW((void)robustness_r(good, bad), Error);
    EXPECT_THROW((void)score_change(bad, good), Error);
    EXPECT_THROW((void)fit_affine(good, bad), Error);
  }
  EXPECT_THROW((void)mean(List{}), Error);
  EXPECT_THROW((void)spread(List{}), Error);
  EXPECT_THROW((void)percentile(List{}, 5), Error);
}

}  // namespace
}  // namespace steadyiqa::stats
