#include "stats/distance.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace steadyiqa::stats {
namespace {

using List = std::vector<double>;

const List kA = {3.5, 10, 22.25, 47, 47, 80.5};
const List kB = {1, 12.5, 30, 66, 90};

TEST(Distance, MatchesScipyForListsOfDifferentLength) {
  EXPECT_NEAR(wasserstein_distance(kA, kB), 10.991666666666667, 1e-12);  // scipy.stats.wasserstein_distance
  EXPECT_NEAR(energy_distance(kA, kB), 1.9354873058511937, 1e-12);       // scipy.stats.energy_distance
}

TEST(Distance, OfAListFromItselfIsNothingWhateverItsOrder) {
  EXPECT_EQ(wasserstein_distance(kA, List{47, 80.5, 3.5, 47, 10, 22.25}), 0.0);
  EXPECT_EQ(energy_distance(kA, kA), 0.0);
}

TEST(Distance, OfAShiftIsTheShift) {
  List shifted;
  for (const double value : kA) {
    shifted.push_back(value + 4.5);
  }
  EXPECT_NEAR(wasserstein_distance(kA, shifted), 4.5, 1e-12);
}

TEST(MsuGains, MatchTheFormulaInNumpy) {
  const auto gains = msu_gains(List{20, 35.5, 50, 64, 80}, List{44, 30, 77, 70.5, 99});
  EXPECT_NEAR(gains.absolute, 0.23666666666666666, 1e-12);
  EXPECT_NEAR(gains.relative, 0.1695971302428256, 1e-12);
}

TEST(MsuGains, OfConstantCleanScoresAreUndefined) {
  EXPECT_TRUE(std::isnan(msu_gains(List{5, 5}, List{6, 7}).absolute));
}

TEST(IntegralScore, MatchesNumpyTrapzFromTheOrigin) {
  EXPECT_NEAR(integral_score(List{1 / 255., 2 / 255., 4 / 255., 8 / 255.}, List{.05, .11, .2, .31}), 0.179375, 1e-12);
}

TEST(IntegralScore, RefusesBudgetsThatDoNotRise) {
  EXPECT_THROW((void)integral_score(List{1, 1}, List{1, 2}), Error);
  EXPECT_THROW((void)integral_score(List{0, 1}, List{1, 2}), Error);
}

}  // namespace
}  // namespace steadyiqa::stats
