#include "stats/median_smoothing.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace steadyiqa::stats {
namespace {

struct Case {
  double radius;
  std::int64_t low, high;
};

TEST(MedianSmoothing, MatchesTheConstantsOfCertifiedIqaDefenses) {
  // sigma 0.12, N 1000, confidence 0.999; the places also by scipy.stats.binom.
  for (const auto& [radius, low, high] : {Case{0.05, 293, 708}, Case{0.12, 124, 877}, Case{0.25, 7, 994}}) {
    const auto found = certified_order_statistics(1000, radius, 0.12, 0.999);
    ASSERT_TRUE(found) << radius;
    EXPECT_EQ(found->low, low) << radius;
    EXPECT_EQ(found->high, high) << radius;
  }
}

TEST(MedianSmoothing, HasNoIntervalWhereSamplesAreTooFew) {
  EXPECT_FALSE(certified_order_statistics(100, 0.25, 0.12, 0.999));
  EXPECT_FALSE(certified_order_statistics(1000, 1e6, 0.12, 0.999));
}

TEST(MedianSmoothing, MoreSamplesTightenTheInterval) {
  const auto few = certified_order_statistics(100, 0.05, 0.12, 0.99);
  const auto many = certified_order_statistics(10000, 0.05, 0.12, 0.99);
  ASSERT_TRUE(few && many);
  EXPECT_LT(static_cast<double>(few->low) / 100, static_cast<double>(many->low) / 10000);
}

TEST(MedianSmoothing, RefusesWhatCannotBe) {
  EXPECT_THROW((void)certified_order_statistics(0, 0.1, 0.1, 0.9), Error);
  EXPECT_THROW((void)certified_order_statistics(10, -0.1, 0.1, 0.9), Error);
  EXPECT_THROW((void)certified_order_statistics(10, 0.1, 0, 0.9), Error);
  EXPECT_THROW((void)certified_order_statistics(10, 0.1, 0.1, 1), Error);
}

}  // namespace
}  // namespace steadyiqa::stats
