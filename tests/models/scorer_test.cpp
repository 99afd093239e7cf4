#include "models/scorer.h"

#include "base/expect_error.h"
#include "data/loader.h"
#include "models/model_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <memory>
#include <tuple>

namespace steadyiqa::models {
namespace {

using steadyiqa::testing::error_message;
using ::testing::HasSubstr;

/// The scorer's options with another crop policy.
ScorerOptions with_crops(const Scorer& scorer, const image::CropPolicy& crops) {
  auto options = scorer.options();
  options.crops = crops;
  return options;
}

Scorer compact_scorer(image::CropPolicy crops = {.kind = image::CropKind::kGrid, .count = 4}) {
  ScorerOptions options;
  options.model = "compact";
  options.crop = 32;
  options.crops = crops;
  options.scale = {.name = "test", .calibration = {12.5, 40.0}, .calibrated = true};
  return {compact_network(), options};
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
  const auto scorer = compact_scorer({.kind = image::CropKind::kGrid, .count = 9});
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

// Against the network on all crops at once.
TEST(Scorer, MoreCropsThanPassAtOnceScoreAndDeriveAsOneBatch) {
  const auto scorer = compact_scorer({.kind = image::CropKind::kGrid, .count = 225});
  const auto pixels = hash_pixels(7, 1, 80, 90);
  const auto at_once = [&](const torch::Tensor& x) {
    return scorer.network().forward(scorer.normalise(scorer.crops(x))).mean().view({1});
  };
  ASSERT_EQ(scorer.crops(pixels).size(0), 225);
  const auto expected = input_gradient(at_once, pixels);
  const auto parts = input_gradient([&](const torch::Tensor& x) { return scorer.raw(x); }, pixels);
  EXPECT_TRUE(torch::allclose(parts.scores, expected.scores, 1e-5, 1e-6));
  const double largest = expected.gradient.abs().max().item<double>();
  EXPECT_TRUE(torch::allclose(parts.gradient, expected.gradient, 1e-4, 1e-5 * largest));
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(scorer.raw(pixels), parts.scores));
}

TEST(Scorer, GradientDoesNotReachTheParameters) {
  const auto scorer = compact_scorer();
  const auto pixels = hash_pixels(7, 1, 50, 41).requires_grad_(true);
  scorer.raw(pixels).sum().backward();
  EXPECT_TRUE(pixels.grad().defined());
  for (const auto& parameter : scorer.network().parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

// Against the Scorer unfolded.
TEST(Scorer, FoldedBatchNormGivesTheSameScoreForAsLongAsACopyLives) {
  const torch::NoGradGuard no_grad;
  const auto scorer = compact_scorer();
  const auto pixels = hash_pixels(7, 1, 50, 41);
  const auto unfolded = scorer.raw(pixels);
  const auto statistics = scorer.network().named_buffers()["features.0.1.running_mean"];
  {
    auto copy = scorer;
    copy.fold_batch_norm();
    const auto folded = copy.raw(pixels);
    EXPECT_TRUE(torch::allclose(folded, unfolded, 1e-5, 1e-6));
    statistics.add_(1);  // which a folded network does not look at
    EXPECT_TRUE(torch::equal(scorer.raw(pixels), folded));
  }
  EXPECT_FALSE(torch::allclose(scorer.raw(pixels), unfolded, 1e-2));
  statistics.sub_(1);
  EXPECT_TRUE(torch::equal(scorer.raw(pixels), unfolded));
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
  EXPECT_THAT(
      error_message(ErrorKind::kUsage,
                    [&] { scorer.set_options(with_crops(scorer, {.kind = image::CropKind::kGrid, .count = 8})); }),
      HasSubstr("square number"));
  EXPECT_EQ(scorer.options().crops.count, 4);
  scorer.set_options(with_crops(scorer, {.kind = image::CropKind::kRandom, .count = 8}));
  EXPECT_EQ(scorer.crops(hash_pixels(1, 1, 40, 40)).size(0), 8);
}

TEST(Scorer, ResizeThatCannotBeReadAndWholeImagesOfAFixedSizeModelAreRefused) {
  auto scorer = compact_scorer();
  auto options = scorer.options();
  options.input.resize = "big";
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { scorer.set_options(options); }), HasSubstr("resize 'big'"));
  options = with_crops(scorer, {.kind = image::CropKind::kWhole});
  options.model = "hyperiqa";
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { scorer.set_options(options); }), HasSubstr("not whole images"));
  EXPECT_EQ(scorer.options().model, "compact");
}

/// 8-bit pixels that Pillow's resize rounds nearly everywhere.
torch::Tensor photo(int width, int height) {
  image::Image image(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>((i * i * 31 + i / 7) % 256);
  }
  return data::to_tensor(image).unsqueeze(0);
}

TEST(Scorer, ResizesAsTheLibraryDoesBeforeItCrops) {
  torch::NoGradGuard no_grad;
  auto scorer = compact_scorer();
  const auto plain = compact_scorer();
  auto options = scorer.options();
  options.input.resize = "50x50,40x60";
  scorer.set_options(options);
  const auto original = photo(97, 71);
  const auto by_hand = image::resize(image::resize(data::to_image(original), 50, 50, image::Filter::kPillowBilinear),
                                     60, 40, image::Filter::kPillowBilinear);
  const auto resized = data::to_tensor(by_hand).unsqueeze(0);
  EXPECT_TRUE(torch::equal(scorer.crops(original), plain.crops(resized)));
  const auto batch = torch::cat({photo(97, 71).flip(3), original});
  EXPECT_TRUE(torch::equal(scorer.score(batch).slice(0, 1, 2), plain.score(resized)));
}

TEST(Scorer, WholeImagesAreScoredAsTheyAre) {
  torch::NoGradGuard no_grad;
  const auto scorer = compact_scorer({.kind = image::CropKind::kWhole});
  const auto pixels = hash_pixels(3, 1, 50, 77);
  EXPECT_TRUE(torch::equal(scorer.crops(pixels), pixels));
  EXPECT_EQ(scorer.crops(hash_pixels(3, 1, 16, 24)).sizes(), (std::vector<std::int64_t>{1, 3, 32, 48}));
}

TEST(Scorer, GradientThroughTheResizeAgreesWithFiniteDifferences) {
  for (const auto filter : {image::Filter::kPillowBilinear, image::Filter::kOpencvCubic}) {
    auto scorer = compact_scorer({.kind = image::CropKind::kWhole});
    scorer.network().to(torch::kFloat64);
    auto options = scorer.options();
    options.input.resize = "short:40";
    options.input.filter = filter;
    scorer.set_options(options);
    // A fifth of a level off 8-bit pixels: steps of 1e-7 do not change what is rounded, so the value is linear there.
    const auto pixels = photo(67, 59).to(torch::kFloat64) * 0.8 + 0.2 / 255;
    const auto rounded = torch::round(pixels * 255) / 255 + 0.2 / 255;
    const auto score = [&](const torch::Tensor& x) { return scorer.score(x); };
    const auto gradient = input_gradient(score, rounded).gradient;
    ASSERT_GT(gradient.abs().sum().item<double>(), 1.0);
    for (std::uint32_t seed = 1; seed < 4; ++seed) {
      const auto v = hash_input(seed, 1, 59, 67).sign().to(torch::kFloat64);
      const double along = (gradient * v).sum().item<double>();
      EXPECT_NEAR(along, central_difference(scorer, rounded, v, 1e-7), 1e-6 * gradient.abs().sum().item<double>());
    }
  }
}

TEST(Scorer, ImageNotAboveTheCropIsEnlargedPastItAsPyiqaDoes) {
  torch::NoGradGuard no_grad;
  auto scorer = compact_scorer({.kind = image::CropKind::kFivePoint, .count = 2});
  auto options = scorer.options();
  options.input.small_images = image::SmallImages::kPastCrop;
  scorer.set_options(options);
  // 20 x 35 times 33/20: 33 x 57 (57.75 down), so the second crop begins at column 25. Column x lies at
  // (x + 0.5) / 1.65 - 0.5 of a ramp: torch.nn.functional.interpolate(ramp, scale_factor=33/20, mode='bilinear') of
  // python3-torch 1.13.1 gives the same to 6e-8.
  const auto ramp = torch::arange(35, torch::kFloat32).div(35).view({1, 1, 1, 35}).expand({1, 3, 20, 35});
  const auto crops = scorer.crops(ramp);
  ASSERT_EQ(crops.sizes(), (std::vector<std::int64_t>{2, 3, 32, 32}));
  const auto expected = ((torch::arange(25, 57, torch::kFloat32) + 0.5) / 1.65 - 0.5).clamp(0, 34).div(35);
  EXPECT_TRUE(torch::allclose(crops[1][0][9], expected, 0, 1e-6));
  EXPECT_EQ(scorer.crops(hash_pixels(1, 1, 32, 32)).size(0), 2);
}

TEST(Scorer, StripThatAResizeWouldBlowUpIsRefused) {
  auto scorer = compact_scorer();
  const auto strip = torch::zeros({1, 3, 1, 40'000});
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { static_cast<void>(scorer.raw(strip)); }), HasSubstr("40000x1"));
  auto options = scorer.options();
  options.input.resize = "short:300";
  scorer.set_options(options);
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { static_cast<void>(scorer.raw(strip)); }), HasSubstr("40000x1"));
}

/// Scores a crop by its mean red, weighed by its mean green.
class RedByGreen : public Network {
 public:
  torch::Tensor forward(const torch::Tensor& x) override {
    const auto [weighted, weight] = forward_weighted(x);
    return weighted / weight;
  }
  WeightedScores forward_weighted(const torch::Tensor& x) override {
    const auto means = x.mean({2, 3});
    return {means.select(1, 0) * means.select(1, 1), means.select(1, 1)};
  }
};

TEST(Scorer, WeightedPoolingIsOneMeanOverAllCrops) {
  ScorerOptions options;
  options.model = "compact";
  options.crop = 32;
  options.normalisation = {{0, 0, 0}, {1, 1, 1}};
  options.crops = {.kind = image::CropKind::kGrid, .count = 4, .pooling = image::Pooling::kWeighted};
  Scorer scorer(std::make_shared<RedByGreen>(), options);
  // Left half: red 0.2, green 0.1; right half: red 0.8, green 0.4. Two crops a side.
  auto pixels = torch::full({1, 3, 64, 64}, 0.5F);
  for (const auto& [channel, left, right] : {std::tuple(0, 0.2, 0.8), {1, 0.1, 0.4}}) {
    pixels.select(1, channel).slice(2, 0, 32).fill_(left);
    pixels.select(1, channel).slice(2, 32, 64).fill_(right);
  }
  EXPECT_NEAR(scorer.raw(pixels).item<double>(), (0.2 * 0.1 + 0.8 * 0.4) / 0.5, 1e-6);
  options.crops.pooling = image::Pooling::kMean;
  scorer.set_options(options);
  EXPECT_NEAR(scorer.raw(pixels).item<double>(), 0.5, 1e-6);
}

}  // namespace
}  // namespace steadyiqa::models
