#include "stats/bootstrap.h"

#include "base/error.h"
#include "stats/correlation.h"
#include "stats/robustness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace steadyiqa::stats {
namespace {

using List = std::vector<double>;
using Picks = std::span<const std::size_t>;

const List kX = {3, 9, 4, 11, 25, 18, 2, 30, 14, 21};
const List kY = {10, 20, 14, 35, 60, 44, 31, 71, 20, 52};

List chosen(const List& values, Picks picks) {
  List list;
  for (const auto pick : picks) {
    list.push_back(values[pick]);
  }
  return list;
}

Interval of_mean(const BootstrapOptions& options) {
  return bootstrap(
      kX.size(), [](Picks picks) { return mean(chosen(kX, picks)); }, options);
}

TEST(Bootstrap, OfTheMeanAgreesWithScipy) {
  // scipy.stats.bootstrap((x,), numpy.mean, n_resamples=200000, method="percentile", random_state=default_rng(0))
  const auto interval = of_mean({.resamples = 200'000});
  EXPECT_NEAR(interval.low, 8.2, 0.1);  // 0.1: the step of a mean of ten whole numbers
  EXPECT_NEAR(interval.high, 19.5, 0.1);
}

TEST(Bootstrap, OfSroccIsWhatPythonComputesFromTheSameDraws) {
  // The draws made anew from the header's description; scipy.stats.spearmanr and numpy.nanpercentile of them.
  const auto interval =
      bootstrap(kX.size(), [](Picks picks) { return srocc(chosen(kX, picks), chosen(kY, picks)); }, {.resamples = 400});
  EXPECT_NEAR(interval.low, 0.3642464087644314, 1e-12);
  EXPECT_NEAR(interval.high, 1.0, 1e-12);
}

TEST(Bootstrap, SeesTheSameDrawsForEveryMeasure) {
  std::vector<std::size_t> first;
  std::vector<std::size_t> second;
  const auto note = [](std::vector<std::size_t>& all) {
    return [&all](Picks picks) {
      all.insert(all.end(), picks.begin(), picks.end());
      return 0.0;
    };
  };
  (void)bootstrap(7, note(first), {.resamples = 5});
  (void)bootstrap(7, note(second), {.resamples = 5});
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.size(), 35U);
  std::vector<std::size_t> other_seed;
  (void)bootstrap(7, note(other_seed), {.resamples = 5, .seed = 2});
  EXPECT_NE(first, other_seed);
}

TEST(Bootstrap, HigherConfidenceIsWider) {
  const auto narrow = of_mean({.confidence = 0.5});
  const auto wide = of_mean({.confidence = 0.99});
  EXPECT_LT(wide.low, narrow.low);
  EXPECT_GT(wide.high, narrow.high);
}

TEST(Bootstrap, HasNoIntervalWhereTheMeasureIsRarelyDefined) {
  int calls = 0;
  const auto interval = bootstrap(3, [&](Picks) { return ++calls % 3 == 0 ? 1.0 : std::nan(""); }, {.resamples = 99});
  EXPECT_TRUE(std::isnan(interval.low));
  EXPECT_TRUE(std::isnan(interval.high));
}

TEST(Bootstrap, RefusesWhatCannotBe) {
  const auto one = [](Picks) { return 1.0; };
  EXPECT_THROW((void)bootstrap(0, one), Error);
  EXPECT_THROW((void)bootstrap(3, one, {.resamples = 1}), Error);
  EXPECT_THROW((void)bootstrap(3, one, {.confidence = 1.0}), Error);
}

}  // namespace
}  // namespace steadyiqa::stats
