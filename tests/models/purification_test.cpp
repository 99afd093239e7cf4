#include "models/purification.h"

#include "base/digest.h"
#include "base/expect_error.h"
#include "data/loader.h"
#include "image/noise.h"
#include "models/model_test_support.h"
#include "models/scorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::models {
namespace {

using steadyiqa::testing::error_message;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<Purifier> chain(const std::vector<std::string>& texts) { return parse_purification(texts); }

torch::Tensor scene(int width = 61, int height = 45) {
  return data::to_tensor(image::scene(width, height)).unsqueeze(0);
}

torch::Tensor through(const std::string& purifier, const torch::Tensor& pixels, std::int64_t draw = 0) {
  return purified(pixels, chain({purifier}), draw);
}

/// SHA-256 of the pixels as whole numbers of 0..top, interleaved.
std::string digest(const torch::Tensor& pixels, double top = 255) {
  const auto levels = (pixels[0].to(torch::kFloat64) * top).round();
  EXPECT_LT((levels / top - pixels[0]).abs().max().item<double>(), 1e-7) << "values between levels";
  const auto bytes = levels.permute({1, 2, 0}).to(torch::kUInt8).contiguous();
  return sha256_hex({reinterpret_cast<const char*>(bytes.data_ptr<std::uint8_t>()), bytes.nbytes()});
}

/// -1 to 1 by an integer pattern.
torch::Tensor pattern(const torch::Tensor& pixels) {
  return (torch::arange(pixels.numel()).mul(7919).remainder(101).to(torch::kFloat64) / 50 - 1).view(pixels.sizes());
}

// Golden numbers of these two: tests/models/make_purified_values.py (Pillow, scipy.ndimage, numpy).
TEST(Purifier, EqualsPillowScipyAndNumpyOn8Bits) {
  struct Case {
    std::string purifier;
    double top;
    std::string sha256;
  };
  for (const auto& [purifier, top, sha256] : {
           Case{"jpeg:quality=50", 255, "996d240fc40c67ba4ff31c6913968b71d0f143e49444025a439be99233534746"},
           {"jpeg:quality=90", 255, "d31ce190fefb4618f6796febd4b2066f033709efe3a3c8096fb5877ff4ce633e"},
           {"median:kernel=3", 255, "bc796beb21c89955bf0fbad195dc228222d7763e5bdc80d8abc457d000f8fb29"},
           {"median:kernel=7", 255, "982229f13c13e613df635fd16af8e296f12d74e9e9bce3ab02010cc618626bc7"},
           {"bits:bits=1", 1, "daa71d853f874ae83764fc062ac41b8f2e7d894717d1ebcac6ef09007bb44353"},
           {"bits:bits=3", 7, "23ccc1ea69af149cb3714fca4835deb36a356c249d57807a3cd01ed705e3a57f"},
           {"bits:bits=7", 127, "4c8d3139557e4ca83ded712694092794d57f1be6abe87d1ef989315023910130"},
       }) {
    EXPECT_EQ(digest(through(purifier, scene()), top), sha256) << purifier;
  }
}

TEST(Purifier, BlurEqualsScipy) {
  const auto pixels = scene().to(torch::kFloat64);
  const auto narrow = through("blur:kernel=5", pixels);
  EXPECT_NEAR(narrow.sum().item<double>(), 3517.796752451, 1e-3);  // the image is float32 levels: 6e-8 of each value
  EXPECT_NEAR((pattern(pixels) * narrow).sum().item<double>(), 0.496797488, 1e-4);
  const auto wide = through("blur:kernel=11", pixels);
  EXPECT_NEAR(wide.sum().item<double>(), 3517.837200857, 1e-3);
  EXPECT_NEAR((pattern(pixels) * wide).sum().item<double>(), 0.319247596, 1e-4);
}

TEST(Purifier, BlurTakesImagesSmallerThanItsWindow) {
  const auto pixels = torch::full({1, 3, 1, 2}, 64.0 / 255);
  EXPECT_TRUE(torch::allclose(through("blur:kernel=31", pixels), pixels));
  EXPECT_TRUE(torch::allclose(through("median:kernel=31", pixels), pixels));
}

/// sum of w sin(4 x), whose gradient is 4 w cos(4 x).
torch::Tensor waves(const torch::Tensor& x) { return (pattern(x) * torch::sin(4 * x)).sum().view({1}); }

TEST(Purifier, StraightThroughGradientIsThatOfTheScoreAtThePurifiedPoint) {
  const auto pixels = scene().to(torch::kFloat64) + 0.3 / 255;  // between levels, as an attack's pixels are
  for (const auto& info : purifier_catalogue()) {
    if (info.gradient != PurifierGradient::kStraightThrough) {
      continue;
    }
    const auto value = through(info.name, pixels);
    const auto at = input_gradient([&](const torch::Tensor& x) { return waves(through(info.name, x)); }, pixels);
    EXPECT_EQ(at.scores.item<double>(), waves(value).item<double>()) << info.name;
    EXPECT_TRUE(torch::allclose(at.gradient, 4 * pattern(value) * torch::cos(4 * value), 0, 1e-12)) << info.name;
    EXPECT_FALSE(torch::equal(value, pixels)) << info.name;
  }
}

TEST(Purifier, TrueGradientsAgreeWithFiniteDifferences) {
  const auto pixels = scene(23, 14).to(torch::kFloat64);
  const auto steps = chain({"blur:kernel=5", "noise:sigma=0.1"});
  const auto value = [&](const torch::Tensor& x) { return waves(purified(x, steps)); };
  const auto gradient = input_gradient(value, pixels).gradient;
  for (std::uint32_t seed = 1; seed < 4; ++seed) {
    const auto v = hash_input(seed, 1, 14, 23).sign().to(torch::kFloat64);
    constexpr double kStep = 1e-6;  // far below half a level, so that the draw stays
    const double difference = (value(pixels + kStep * v) - value(pixels - kStep * v)).item<double>() / (2 * kStep);
    EXPECT_NEAR((gradient * v).sum().item<double>(), difference, 1e-6 * gradient.abs().sum().item<double>());
  }
}

torch::Tensor noise_of(const std::vector<std::string>& texts, const torch::Tensor& pixels, std::int64_t draw = 0) {
  return purified(pixels, chain(texts), draw) - pixels;
}

double correlation(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt()).item<double>();
}

TEST(Noise, HasItsMomentsAndIsTheImagesOwn) {
  const auto pixels = scene(120, 90);
  const auto noise = noise_of({"noise:sigma=0.05"}, pixels);
  // 32400 values: the mean of them has a deviation of 0.05 / 180, their own standard deviation one of 0.05 / 255.
  EXPECT_NEAR(noise.mean().item<double>(), 0, 4 * 0.05 / 180);
  EXPECT_NEAR(noise.std().item<double>(), 0.05, 4 * 0.05 / 255);
  EXPECT_TRUE(torch::equal(noise_of({"noise:sigma=0.05"}, pixels.clone()), noise));
  auto other = pixels.clone();
  other[0][1][7][9] += 1.0 / 255;
  for (const auto& independent : {noise_of({"noise:sigma=0.05"}, other), noise_of({"noise:sigma=0.05"}, pixels, 1),
                                  noise_of({"noise:sigma=0.05,seed=1"}, pixels)}) {
    EXPECT_NEAR(correlation(independent, noise), 0, 4.0 / 180);
  }
  const auto below_a_level = pixels + 0.3F / 255;
  EXPECT_TRUE(torch::allclose(noise_of({"noise:sigma=0.05"}, below_a_level), noise, 0, 1e-6));
  // Two steps of one seed are two draws: their variances add.
  EXPECT_NEAR(noise_of({"noise:sigma=0.05", "noise:sigma=0.05"}, pixels).std().item<double>(), 0.05 * std::sqrt(2),
              4 * 0.05 * std::sqrt(2) / 255);
}

TEST(Purification, TakesItsStepsInTurn) {
  const auto pixels = scene();
  const auto forth = purified(pixels, chain({"jpeg:quality=20", "bits:bits=2"}));
  EXPECT_TRUE(torch::equal(forth, through("bits:bits=2", through("jpeg:quality=20", pixels))));
  EXPECT_FALSE(torch::equal(forth, purified(pixels, chain({"bits:bits=2", "jpeg:quality=20"}))));
  EXPECT_TRUE(torch::equal(purified(pixels, {}), pixels));
}

TEST(Purification, IsReadAndWrittenAsText) {
  const auto steps = chain({"jpeg", "noise:draws=3,sigma=0.25", "blur:kernel=7"});
  EXPECT_THAT(purification_texts(steps),
              ElementsAre("jpeg:quality=70", "noise:draws=3,seed=0,sigma=0.25", "blur:kernel=7"));
  EXPECT_THAT(purification_texts(chain(purification_texts(steps))), purification_texts(steps));
  EXPECT_EQ(draws(steps), 3);
  EXPECT_TRUE(is_random(steps));
  EXPECT_THAT(straight_through(steps), ElementsAre("jpeg"));
  EXPECT_THAT(chain({"none"}), IsEmpty());
  EXPECT_EQ(draws(chain({"blur"})), 1);
  EXPECT_FALSE(is_random(chain({"blur"})));
}

TEST(Purification, RefusesWhatItCannotBe) {
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {"jpge", "(known: jpeg, median, blur, bits, noise)"},
           {"jpeg:qualty=50", "purifier 'jpeg:qualty=50': unknown key 'qualty' (did you mean 'quality'?)"},
           {"jpeg:kernel=3", "unknown key 'kernel'"},
           {"jpeg:quality=0", "quality = 0 is out of range: must be between 1 and 100"},
           {"jpeg:quality=101", "out of range"},
           {"jpeg:quality", "expected key=value, got 'quality'"},
           {"median:kernel=4", "must be odd"},
           {"blur:kernel=33", "between 3 and 31"},
           {"bits:bits=8", "between 1 and 7"},
           {"noise:sigma=0", "sigma"},
           {"noise:sigma=nan", "sigma"},
           {"noise:draws=0", "draws"},
           {"noise:draws=1e9", "between 1 and 256"},
           {"none:kernel=3", "unknown purifier 'none'"},
           {"", "unknown purifier ''"}}) {
    EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { static_cast<void>(chain({text})); }), HasSubstr(part)) << text;
  }
  EXPECT_THAT(error_message(ErrorKind::kUsage,
                            [] {
                              static_cast<void>(chain({"jpeg", "none"}));
                            }),
              HasSubstr("'none'"));
  const std::vector<std::string> many(17, "bits");
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { static_cast<void>(chain(many)); }), HasSubstr("17 steps"));
}

Scorer purifying(const std::vector<std::string>& texts) {
  ScorerOptions options;
  options.model = "compact";
  options.crop = 32;
  options.crops = {.kind = image::CropKind::kGrid, .count = 4};
  options.purification = chain(texts);
  return {compact_network(), options};
}

TEST(PurifyingScorer, ScoresThePurifiedImage) {
  const torch::NoGradGuard no_grad;
  const auto pixels = scene();
  const std::vector<std::string> texts = {"median:kernel=3", "jpeg:quality=30"};
  const auto scorer = purifying(texts);
  const auto bare = purifying({});
  EXPECT_TRUE(torch::equal(scorer.raw(pixels), bare.raw(purified(pixels, chain(texts)))));
  EXPECT_FALSE(torch::equal(scorer.raw(pixels), bare.raw(pixels)));
  EXPECT_EQ(preprocessing_text(scorer.options()), "purify median:kernel=3 + jpeg:quality=30; grid 4 of 32px");
}

TEST(PurifyingScorer, IsTheMeanOverItsDrawsWhateverTheBatch) {
  const torch::NoGradGuard no_grad;
  const std::vector<std::string> texts = {"noise:sigma=0.1,draws=3"};
  const auto scorer = purifying(texts);
  const auto bare = purifying({});
  const auto pixels = scene();
  const auto batch = torch::cat({pixels.flip(3), pixels});
  double sum = 0;
  for (std::int64_t draw = 0; draw < 3; ++draw) {
    const double one = bare.raw(purified(pixels, chain(texts), draw)).item<double>();
    EXPECT_EQ(scorer.raw_of_draw(pixels, draw).item<double>(), one);
    sum += one;
  }
  EXPECT_NEAR(scorer.raw(pixels).item<double>(), sum / 3, 1e-6);
  EXPECT_EQ(scorer.raw(batch)[1].item<double>(), scorer.raw(pixels).item<double>());
  EXPECT_EQ(purifying(texts).raw(pixels).item<double>(), scorer.raw(pixels).item<double>());
}

TEST(PurifyingScorer, RefusesAPurifierOutOfRange) {
  auto scorer = purifying({"jpeg"});
  auto options = scorer.options();
  options.purification[0].quality = 0;
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { scorer.set_options(options); }), HasSubstr("quality = 0"));
  EXPECT_EQ(scorer.options().purification[0].quality, 70);
}

}  // namespace
}  // namespace steadyiqa::models
