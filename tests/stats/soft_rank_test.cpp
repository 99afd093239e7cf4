#include "stats/soft_rank.h"

#include "base/error.h"
#include "base/seed.h"
#include "stats/correlation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace steadyiqa::stats {
namespace {

std::vector<double> some_values(std::size_t n) {
  Rng rng(3);
  std::vector<double> values(n);
  for (auto& value : values) {
    value = rng.uniform(0, 10);
  }
  return values;
}

TEST(SoftRank, AreTheRanksWhenValuesLieFarApart) {
  const std::vector<double> values = {30, 10, 50, 20};
  EXPECT_EQ(SoftRank(values).ranks(), (std::vector<double>{3, 1, 4, 2}));
}

// The projection onto the permutahedron, by its definition: no other point of it that one can reach by mixing
// permutations is nearer to values / beta.
TEST(SoftRank, AreTheNearestPointOfThePermutahedron) {
  const std::vector<double> values = {1.2, 0.7, 2.9, 2.8};
  const auto ranks = SoftRank(values).ranks();
  const auto distance = [&](const std::vector<double>& point) {
    double sum = 0;
    for (std::size_t i = 0; i < point.size(); ++i) {
      sum += (point[i] - values[i]) * (point[i] - values[i]);
    }
    return sum;
  };
  EXPECT_NEAR(std::accumulate(ranks.begin(), ranks.end(), 0.0), 10, 1e-12);
  std::vector<double> permutation = {1, 2, 3, 4};
  do {
    for (const double share : {1e-3, 0.1, 0.5, 1.0}) {
      std::vector<double> mixed(4);
      for (std::size_t i = 0; i < 4; ++i) {
        mixed[i] = (1 - share) * ranks[i] + share * permutation[i];
      }
      EXPECT_GE(distance(mixed), distance(ranks) - 1e-12);
    }
  } while (std::next_permutation(permutation.begin(), permutation.end()));
}

TEST(SoftRank, GradientAgreesWithFiniteDifferences) {
  auto values = some_values(12);
  std::vector<double> weights(values.size());
  Rng rng(4);
  for (auto& weight : weights) {
    weight = rng.normal();
  }
  const auto objective = [&](const std::vector<double>& at) {
    const auto ranks = SoftRank(at, 0.8).ranks();
    return std::inner_product(ranks.begin(), ranks.end(), weights.begin(), 0.0);
  };
  const auto gradient = SoftRank(values, 0.8).backward(weights);
  constexpr double kStep = 1e-6;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto up = values;
    auto down = values;
    up[i] += kStep;
    down[i] -= kStep;
    EXPECT_NEAR(gradient[i], (objective(up) - objective(down)) / (2 * kStep), 1e-6) << i;
  }
}

TEST(RankTargets, UndoTheOrder) {
  std::vector<double> scores = some_values(20);
  for (auto& score : scores) {
    score = 30 + 4 * score;
  }
  const auto targets = decorrelated_targets(scores, {.steps = 20000}, 1);
  EXPECT_LT(srocc(targets, scores), -0.9);
  EXPECT_EQ(targets, decorrelated_targets(scores, {.steps = 20000}, 1));
  for (const double target : targets) {
    EXPECT_TRUE(target >= 0 && target <= 100) << target;
  }
}

TEST(RankTargets, NeedNumbers) {
  EXPECT_THROW(static_cast<void>(decorrelated_targets(std::vector<double>{1.0, NAN}, {}, 0)), Error);
}

}  // namespace
}  // namespace steadyiqa::stats
