#include "stats/correlation.h"

#include "base/error.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace steadyiqa::stats {
namespace {

constexpr double kTolerance = 1e-10;

struct Case {
  std::string name;
  std::vector<double> x, y;
  double srocc, plcc, krocc, rmse, mae;
};

// scipy 1.10: stats.spearmanr(x, y)[0], stats.pearsonr(x, y)[0], stats.kendalltau(x, y)[0];
// numpy: sqrt(mean((x - y) ** 2)), mean(abs(x - y)).
const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"short",
       {1.0, 2.0, 3.0, 4.0, 5.0},
       {2.0, 1.0, 4.0, 3.0, 5.0},
       0.7999999999999999,
       0.8,
       0.6,
       0.8944271909999159,
       0.8},
      {"two", {1.5, 2.5}, {9.0, -3.0}, -0.9999999999999999, -1.0, -1.0, 6.576473218982953, 6.5},
      {"ties in one",
       {1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0, 5.0},
       {3.5, 1.0, 2.0, 2.5, 8.0, 7.0, 6.0, 9.0},
       0.8224729320348959,
       0.8445681840753448,
       0.6943650748294136,
       2.5617376914898995,
       2.125},
      {"ties in both",
       {1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 10.0, 10.0, 4.0},
       {5.0, 5.0, 5.0, 1.0, 2.0, 2.0, 2.0, 9.0, 8.0, 9.0},
       0.4617928069595266,
       0.6402190671209996,
       0.31171460007967866,
       2.7386127875258306,
       2.3},
      {"scores",
       {7.631,  77.992, 43.841, 72.347, 97.799, 53.85,  50.112, 7.205, 26.844, 49.988, 67.923, 80.374,
        38.094, 6.594,  28.815, 90.959, 21.339, 45.212, 93.121, 2.49,  60.055, 95.013, 23.03},
       {18.45,  56.148, 31.749, 34.036, 80.372, 55.345, 13.549, 2.691,  -16.142, 32.464, 13.791, 50.574,
        33.821, 13.616, 30.624, 36.898, 9.473,  5.697,  85.304, -17.05, 31.737,  33.86,  6.534},
       0.8073122529644269,
       0.7588799141529502,
       0.6047430830039525,
       29.338227793162257,
       23.451173913043476},
      {"falling with many ties",
       {1.0, 1.0, 2.0, 3.0, 2.0, 2.0, 3.0, 3.0, 2.0, 0.0, 4.0, 3.0, 1.0, 1.0, 4.0, 3.0, 4.0, 4.0, 4.0, 3.0,
        3.0, 0.0, 4.0, 3.0, 0.0, 2.0, 2.0, 3.0, 2.0, 3.0, 4.0, 4.0, 0.0, 4.0, 3.0, 1.0, 2.0, 4.0, 4.0, 1.0},
       {5.0, 5.0, 5.0, 2.0, 3.0, 5.0, 4.0, 4.0, 3.0, 7.0, 1.0, 4.0, 6.0, 6.0, 1.0, 3.0, 2.0, 3.0, 3.0, 3.0,
        3.0, 6.0, 3.0, 2.0, 6.0, 3.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0, 5.0, 2.0, 4.0, 4.0, 4.0, 2.0, 2.0, 6.0},
       -0.8451155161155883,
       -0.8575186401684469,
       -0.7506292883586889,
       2.9538110975483858,
       2.325},
  };
  return all;
}

TEST(CorrelationTest, MatchesScipy) {
  for (const auto& c : cases()) {
    SCOPED_TRACE(c.name);
    EXPECT_NEAR(srocc(c.x, c.y), c.srocc, kTolerance);
    EXPECT_NEAR(plcc(c.x, c.y), c.plcc, kTolerance);
    EXPECT_NEAR(krocc(c.x, c.y), c.krocc, kTolerance);
    EXPECT_NEAR(rmse(c.x, c.y), c.rmse, kTolerance);
    EXPECT_NEAR(mae(c.x, c.y), c.mae, kTolerance);
  }
}

TEST(CorrelationTest, DoesNotDependOnTheOrderOfTheLists) {
  for (const auto& c : cases()) {
    SCOPED_TRACE(c.name);
    EXPECT_NEAR(srocc(c.y, c.x), c.srocc, kTolerance);
    EXPECT_NEAR(plcc(c.y, c.x), c.plcc, kTolerance);
    EXPECT_NEAR(krocc(c.y, c.x), c.krocc, kTolerance);
  }
}

TEST(CorrelationTest, NeverExceedsOne) {
  const std::vector<double> x{0.1, 0.2, 0.3, 0.7, 1e-9, 1e9};
  EXPECT_EQ(srocc(x, x), 1.0);
  EXPECT_LE(plcc(x, x), 1.0);
  EXPECT_NEAR(plcc(x, x), 1.0, kTolerance);
  EXPECT_EQ(krocc(x, x), 1.0);
}

TEST(CorrelationTest, OfAConstantListIsNan) {
  // 0.1 summed ten times is not 1: rounding must not make a correlation out of a constant.
  const std::vector<double> constant(10, 0.1);
  const std::vector<double> rising{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  for (const auto measure : {srocc, plcc, krocc}) {
    EXPECT_TRUE(std::isnan(measure(constant, rising)));
    EXPECT_TRUE(std::isnan(measure(rising, constant)));
    EXPECT_TRUE(std::isnan(measure(constant, constant)));
  }
}

TEST(CorrelationTest, BadInputIsANumericError) {
  const std::vector<double> good{1, 2, 3};
  const std::vector<std::vector<double>> bad{{1, NAN, 3}, {1, INFINITY, 3}, {1, 2}, {}};
  for (const auto measure : {srocc, plcc, krocc, rmse, mae}) {
    for (const auto& list : bad) {
      for (const bool swapped : {false, true}) {
        try {
          (void)(swapped ? measure(list, good) : measure(good, list));
          ADD_FAILURE() << "no error";
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::kNumeric);
        }
      }
    }
    EXPECT_THROW((void)measure(std::vector<double>{1}, std::vector<double>{1}), Error);
  }
}

TEST(CorrelationTest, SurvivesExtremeMagnitudes) {
  std::vector<double> huge{1, 2, 3, 4, 5};
  std::vector<double> tiny = huge;
  std::ranges::transform(huge, huge.begin(), [](double v) { return v * 1e307; });
  std::ranges::transform(tiny, tiny.begin(), [](double v) { return v * 1e-300; });
  const std::vector<double> y{2, 1, 4, 3, 5};
  EXPECT_NEAR(plcc(huge, y), 0.8, kTolerance);
  EXPECT_NEAR(plcc(tiny, y), 0.8, kTolerance);
  EXPECT_THROW((void)rmse(huge, tiny), Error);
}

TEST(RanksTest, MatchRankdata) {
  // scipy.stats.rankdata([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5])
  EXPECT_THAT(ranks(std::vector<double>{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5}),
              ::testing::ElementsAre(4.5, 1.5, 6, 1.5, 8, 11, 3, 10, 8, 4.5, 8));
  EXPECT_THAT(ranks(std::vector<double>{0.0, -0.0}), ::testing::ElementsAre(1.5, 1.5));
}

TEST(KroccTest, IsFastEnoughForLargeSets) {
  // Value: scipy.stats.kendalltau. Every pair of 200 000 would take minutes; i * 7919 mod n is a permutation.
  constexpr std::size_t kCount = 200000;
  std::vector<double> x(kCount);
  std::vector<double> y(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    x[i] = static_cast<double>(i);
    y[i] = static_cast<double>(i * 7919 % kCount);
  }
  EXPECT_NEAR(krocc(x, y), 0.000125640528202641, kTolerance);
}

}  // namespace
}  // namespace steadyiqa::stats
