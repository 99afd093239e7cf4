#include "image/crop_policy.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace steadyiqa::image {
namespace {

using steadyiqa::testing::error_message;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(CropPlaces, GridReachesBothEdges) {
  EXPECT_THAT(crop_places({.kind = CropKind::kGrid, .count = 9}, 224, 300, 425),
              ElementsAre(Pair(0, 0), Pair(0, 100), Pair(0, 201), Pair(38, 0), Pair(38, 100), Pair(38, 201),
                          Pair(76, 0), Pair(76, 100), Pair(76, 201)));
  EXPECT_THAT(crop_places({.kind = CropKind::kGrid, .count = 1}, 224, 300, 424), ElementsAre(Pair(38, 100)));
}

TEST(CropPlaces, GridCountsEachDifferentCropOnce) {
  EXPECT_THAT(crop_places({.kind = CropKind::kGrid, .count = 9}, 224, 224, 225), ElementsAre(Pair(0, 0), Pair(0, 1)));
  EXPECT_THAT(crop_places({.kind = CropKind::kGrid, .count = 25}, 224, 224, 224), ElementsAre(Pair(0, 0)));
}

TEST(CropPlaces, CentreIsInTheMiddle) {
  EXPECT_THAT(crop_places({.kind = CropKind::kCentre, .count = 7}, 100, 151, 300), ElementsAre(Pair(25, 100)));
}

TEST(CropPlaces, RandomDependsOnSeedIndexAndSizeOnly) {
  const auto places = [](std::int64_t count, std::int64_t seed, std::int64_t height, std::int64_t width) {
    return crop_places({.kind = CropKind::kRandom, .count = count, .seed = seed}, 224, height, width);
  };
  const auto first = places(200, 1, 226, 300);
  EXPECT_EQ(first, places(200, 1, 226, 300));
  EXPECT_NE(first, places(200, 2, 226, 300));
  const auto fewer = places(50, 1, 226, 300);
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), first.begin()));
  std::set<std::int64_t> rows;
  std::set<std::int64_t> columns;
  for (const auto& [y, x] : first) {
    rows.insert(y);
    columns.insert(x);
  }
  EXPECT_THAT(rows, ElementsAre(0, 1, 2));  // every place from edge to edge, none beyond
  EXPECT_GE(*columns.begin(), 0);
  EXPECT_LE(*columns.rbegin(), 76);
  EXPECT_GT(columns.size(), 50U);
}

// numpy 1.24.2: np.random.seed(20); 20 times np.random.randint(0, 384 - 224), np.random.randint(0, 512 - 224).
TEST(CropPlaces, NumpyOfSeed20AreNumpys) {
  EXPECT_THAT(crop_places({.kind = CropKind::kNumpy, .count = 20, .seed = 20}, 224, 384, 512),
              ElementsAre(Pair(99, 271), Pair(156, 218), Pair(137, 278), Pair(71, 162), Pair(118, 40), Pair(26, 251),
                          Pair(16, 253), Pair(144, 105), Pair(101, 263), Pair(6, 282), Pair(141, 25), Pair(131, 202),
                          Pair(61, 266), Pair(6, 274), Pair(3, 248), Pair(43, 144), Pair(18, 79), Pair(75, 118),
                          Pair(157, 6), Pair(78, 280)));
}

TEST(CropPlaces, NumpyNeverReachesTheLastPlace) {
  for (const auto& [y, x] : crop_places({.kind = CropKind::kNumpy, .count = 50, .seed = 20}, 224, 225, 224)) {
    EXPECT_EQ(y, 0);
    EXPECT_EQ(x, 0);
  }
}

// By pyiqa's rule: 25 crops step (free / 5), so that 5 x 5 places end one step before the edge.
TEST(CropPlaces, UniformOf25IsFiveByFive) {
  const auto places = crop_places({.kind = CropKind::kUniform, .count = 25}, 224, 384, 512);
  ASSERT_EQ(places.size(), 25U);
  EXPECT_THAT(places[1], Pair(0, 57));  // 288 / 5 = 57, 160 / 5 = 32
  EXPECT_THAT(places[5], Pair(32, 0));
  EXPECT_THAT(places[24], Pair(128, 228));
}

// 20 crops: step free / 4, five places a side, the first 20 row by row: 4 rows of 5, the fifth column at the edge.
TEST(CropPlaces, UniformOf20IsFourRowsOfFive) {
  const auto places = crop_places({.kind = CropKind::kUniform, .count = 20}, 224, 384, 512);
  ASSERT_EQ(places.size(), 20U);
  EXPECT_THAT(places[4], Pair(0, 288));
  EXPECT_THAT(places[5], Pair(40, 0));
  EXPECT_THAT(places[19], Pair(120, 288));
}

TEST(CropPlaces, FivePointAreTheCornersAndTheMiddle) {
  EXPECT_THAT(crop_places({.kind = CropKind::kFivePoint, .count = 5}, 224, 288, 300),
              ElementsAre(Pair(0, 0), Pair(0, 76), Pair(64, 0), Pair(64, 76), Pair(32, 38)));
  EXPECT_THAT(crop_places({.kind = CropKind::kFivePoint, .count = 1}, 224, 288, 288), ElementsAre(Pair(0, 0)));
}

TEST(CropPolicy, WhatAKindCannotHaveIsRefused) {
  const auto message = [](const CropPolicy& policy) {
    return error_message(ErrorKind::kUsage, [&] { check(policy); });
  };
  EXPECT_THAT(message({.kind = CropKind::kGrid, .count = 8}), HasSubstr("square number"));
  EXPECT_THAT(message({.kind = CropKind::kFivePoint, .count = 6}), HasSubstr("at most 5"));
  EXPECT_THAT(message({.kind = CropKind::kNumpy, .seed = std::int64_t{1} << 32}), HasSubstr("below 2^32"));
  check({.kind = CropKind::kUniform, .count = 20});
}

}  // namespace
}  // namespace steadyiqa::image
