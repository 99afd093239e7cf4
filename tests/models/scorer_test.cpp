#include "models/scorer.h"

#include "base/expect_error.h"
#include "models/model_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

namespace steadyiqa::models {
namespace {

using steadyiqa::testing::error_message;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Scorer compact_scorer(CropPolicy crops = {.kind = CropKind::kGrid, .count = 4}) {
  ScorerOptions options;
  options.model = "compact";
  options.crop = 32;
  options.crops = crops;
  options.scale = {.name = "test", .calibration = {12.5, 40.0}, .calibrated = true};
  return {compact_network(), options};
}

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

TEST(Scorer, ScoreIsTheCalibratedMeanOverTheCrops) {
  torch::NoGradGuard no_grad;
  const auto scorer = compact_scorer();
  EXPECT_FALSE(scorer.network().is_training());
  const auto pixels = hash_pixels(11, 2, 50, 41);
  const auto raw = scorer.raw(pixels);
  EXPECT_TRUE(torch::equal(scorer.score(pixels), raw * 12.5 + 40.0));
  EXPECT_DOUBLE_EQ(scorer.calibrate(2.0), 65.0);
  // By hand: the four corner crops, normalised, through the network.
  const auto mean = torch::tensor({0.485, 0.456, 0.406}).view({1, 3, 1, 1});
  const auto std = torch::tensor({0.229, 0.224, 0.225}).view({1, 3, 1, 1});
  for (std::int64_t i = 0; i < 2; ++i) {
    double sum = 0;
    for (const std::int64_t y : {0, 18}) {
      for (const std::int64_t x : {0, 9}) {
        const auto crop = pixels.slice(0, i, i + 1).slice(2, y, y + 32).slice(3, x, x + 32);
        sum += scorer.network().forward((crop - mean) / std).item<double>();
      }
    }
    EXPECT_NEAR(raw[i].item<double>(), sum / 4, 1e-5 * std::abs(sum / 4) + 1e-6);
  }
}

TEST(Scorer, ImageSmallerThanTheCropIsEnlargedBilinearly) {
  torch::NoGradGuard no_grad;
  const auto scorer = compact_scorer({.kind = CropKind::kGrid, .count = 9});
  // A ramp of 16 columns: enlarged twice, column x lies at (x + 0.5)/2 - 0.5 of the ramp, clamped to its ends.
  const auto ramp = torch::arange(16, torch::kFloat32).div(16).view({1, 1, 1, 16}).expand({1, 3, 16, 16});
  const auto crops = scorer.crops(ramp);
  ASSERT_EQ(crops.sizes(), (std::vector<std::int64_t>{1, 3, 32, 32}));
  const auto expected = ((torch::arange(32, torch::kFloat32) + 0.5) / 2 - 0.5).clamp(0, 15).div(16);
  EXPECT_TRUE(torch::allclose(crops[0][1][7], expected, 0, 1e-6));
  // Both sides grow by the same factor: 20 x 35 becomes 32 x 56, three places in a row.
  const auto wide = scorer.crops(hash_pixels(2, 1, 20, 35));
  EXPECT_EQ(wide.sizes(), (std::vector<std::int64_t>{3, 3, 32, 32}));
  EXPECT_TRUE(std::isfinite(scorer.score(hash_pixels(2, 1, 1, 5)).item<double>()));
}

/// (score(x + h v) - score(x - h v)) / 2h.
double central_difference(const Scorer& scorer, const torch::Tensor& pixels, const torch::Tensor& v, double h) {
  torch::NoGradGuard no_grad;
  const auto difference = scorer.score(pixels + h * v) - scorer.score(pixels - h * v);
  return difference.to(torch::kFloat64).item<double>() / (2 * h);
}

TEST(Scorer, GradientByPixelsAgreesWithFiniteDifferences) {
  const auto scorer = compact_scorer();
  const auto in_double = compact_scorer();
  in_double.network().to(torch::kFloat64);
  const auto pixels = hash_pixels(11, 1, 40, 45) * 0.9 + 0.05;
  const auto score = [&](const torch::Tensor& x) { return scorer.score(x); };
  const auto gradient = input_gradient(score, pixels).gradient;
  const double size = gradient.abs().sum().item<double>();
  ASSERT_GT(size, 1.0);
  for (std::uint32_t seed = 0; seed < 6; ++seed) {  // along the gradient's sign, then along random directions of +-1
    const auto v = seed == 0 ? gradient.sign() : hash_input(seed, 1, 40, 45).sign();
    const auto as_double = [](const torch::Tensor& t) { return t.to(torch::kFloat64); };
    // A step small enough to cross next to no ReLU kink drowns in float32 rounding, so it is taken in float64; 1e-6 of
    // the l1 norm is what float32 (2^-24 = 6e-8) loses over the network's few layers.
    const double along = (as_double(gradient) * as_double(v)).sum().item<double>();
    EXPECT_NEAR(along, central_difference(in_double, as_double(pixels), as_double(v), 1e-7), 1e-6 * size) << seed;
    // A step far above the rounding crosses kinks (4 % here along the sign), alike in both precisions. Scores near 40
    // have a float32 spacing of 2^-18 = 4e-6; two of them, each wrong by a few spacings, differ by up to 2e-5.
    constexpr double kStep = 1e-3;
    EXPECT_NEAR(central_difference(scorer, pixels, v, kStep),
                central_difference(in_double, as_double(pixels), as_double(v), kStep), 2e-5 / (2 * kStep))
        << seed;
  }
}

TEST(Scorer, ScoreDoesNotDependOnOtherImages) {
  torch::NoGradGuard no_grad;
  const auto scorer = compact_scorer();
  const auto pixels = hash_pixels(21, 3, 40, 48);
  const auto image = pixels.slice(0, 1, 2);
  const auto alone = scorer.score(image);
  static_cast<void>(scorer.score(hash_pixels(5, 2, 64, 33)));
  static_cast<void>(scorer.score(hash_pixels(6, 1, 20, 20)));
  EXPECT_TRUE(torch::equal(scorer.score(image), alone));
  EXPECT_TRUE(torch::equal(scorer.score(pixels).slice(0, 1, 2), alone));
}

TEST(Scorer, GridOfNoSquareNumberIsRefused) {
  auto scorer = compact_scorer();
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { scorer.set_crop_policy({.kind = CropKind::kGrid, .count = 8}); }),
              HasSubstr("square number"));
  EXPECT_EQ(scorer.options().crops.count, 4);
  scorer.set_crop_policy({.kind = CropKind::kRandom, .count = 8});
  EXPECT_EQ(scorer.crops(hash_pixels(1, 1, 40, 40)).size(0), 8);
}

}  // namespace
}  // namespace steadyiqa::models
