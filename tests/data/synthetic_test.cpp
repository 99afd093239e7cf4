#include "data/synthetic.h"

#include "base/file.h"
#include "data_test_support.h"

#include <opencv2/core.hpp>

#include <cmath>
#include <complex>
#include <map>
#include <numeric>
#include <set>

namespace steadyiqa::data {
namespace {

constexpr std::array kAllDistortions = {Distortion::kBlur,     Distortion::kNoise,     Distortion::kJpeg,
                                        Distortion::kContrast, Distortion::kBlockLoss, Distortion::kColourShift};

image::Image flat(int side, std::array<int, 3> colour) {
  image::Image image(side, side);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(colour.at(i % 3));
  }
  return image;
}

double luma(const std::uint8_t* rgb) { return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]; }

struct Moments {
  double mean = 0;
  double deviation = 0;
};

Moments moments(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double square = 0;
  for (const double value : values) {
    square += (value - mean) * (value - mean);
  }
  return {mean, std::sqrt(square / count)};
}

std::vector<double> lumas(const image::Image& image) {
  std::vector<double> values;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    values.push_back(luma(&image.pixels[i]));
  }
  return values;
}

/// Slope of log power against log frequency of a square image's luma: Hann window, rings of width 1 from 3 cycles an
/// image to 0.35 cycles a pixel, least squares.
double spectral_slope(const image::Image& image) {
  const int side = image.width;
  const std::vector<double> values = lumas(image);
  const double mean = moments(values).mean;
  cv::Mat1d plane(side, side);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const double window = std::sin(M_PI * (y + 0.5) / side) * std::sin(M_PI * (x + 0.5) / side);
      plane(y, x) = (values[static_cast<std::size_t>(y * side + x)] - mean) * window * window;
    }
  }
  cv::Mat2d spectrum;
  cv::dft(plane, spectrum, cv::DFT_COMPLEX_OUTPUT);
  std::map<int, std::pair<double, int>> rings;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const int ring = static_cast<int>(std::lround(std::hypot(std::min(x, side - x), std::min(y, side - y))));
      rings[ring].first += std::norm(std::complex<double>(spectrum(y, x)[0], spectrum(y, x)[1]));
      rings[ring].second += 1;
    }
  }
  double count = 0;
  double sum_x = 0;
  double sum_y = 0;
  double sum_xx = 0;
  double sum_xy = 0;
  for (int ring = 3; ring <= 0.35 * side; ++ring) {
    const double x = std::log(ring);
    const double y = std::log(rings[ring].first / rings[ring].second);
    count += 1;
    sum_x += x;
    sum_y += y;
    sum_xx += x * x;
    sum_xy += x * y;
  }
  return (count * sum_xy - sum_x * sum_y) / (count * sum_xx - sum_x * sum_x);
}

TEST(SyntheticScene, IsAPureFunctionOfSeedIndexAndSize) {
  for (const std::int64_t index : {0, 1, 2, 4, 6, 8}) {
    const image::Image first = synthetic_scene(5, index, 64, 48);
    EXPECT_EQ(first.width, 64);
    EXPECT_EQ(first.height, 48);
    EXPECT_EQ(first.pixels, synthetic_scene(5, index, 64, 48).pixels) << index;
    EXPECT_NE(first.pixels, synthetic_scene(6, index, 64, 48).pixels) << index;
    EXPECT_NE(first.pixels, synthetic_scene(5, index + 10, 64, 48).pixels) << index;
  }
}

TEST(SyntheticScene, DeadLeavesAndTextureHaveThePowerLawOfNaturalImages) {
  for (const std::int64_t index : {0, 10, 20, 2, 12, 22}) {
    const double slope = spectral_slope(synthetic_scene(1, index, 128, 128));
    EXPECT_LT(slope, -1.4) << index;
    EXPECT_GT(slope, -3.0) << index;
  }
}

TEST(SyntheticScene, HasTheBrightnessContrastAndColourOfPhotographs) {
  for (std::int64_t index = 0; index < 20; ++index) {
    const image::Image scene = synthetic_scene(2, index, 96, 96);
    const Moments light = moments(lumas(scene));
    EXPECT_GT(light.mean, 85) << index;
    EXPECT_LT(light.mean, 155) << index;
    EXPECT_GT(light.deviation, 38) << index;
    EXPECT_LT(light.deviation, 70) << index;
    double chroma = 0;
    for (std::size_t i = 0; i < scene.pixels.size(); ++i) {
      chroma += std::abs(scene.pixels[i] - luma(&scene.pixels[i / 3 * 3]));
    }
    EXPECT_GT(chroma / static_cast<double>(scene.pixels.size()), 5) << index;
  }
}

TEST(SyntheticScene, HasDetailInEveryPart) {
  constexpr int kTile = 32;
  for (std::int64_t index = 0; index < 20; ++index) {
    const image::Image scene = synthetic_scene(3, index, 128, 128);
    for (int tile = 0; tile < 16; ++tile) {
      double difference = 0;
      for (int y = tile / 4 * kTile; y < tile / 4 * kTile + kTile; ++y) {
        for (int x = tile % 4 * kTile; x < tile % 4 * kTile + kTile - 1; ++x) {
          difference += std::abs(luma(scene.at(x + 1, y)) - luma(scene.at(x, y)));
        }
      }
      EXPECT_GT(difference / (kTile * (kTile - 1)), 1.0) << "scene " << index << " tile " << tile;
    }
  }
}

TEST(SyntheticScene, RefusesSizesOutOfRange) {
  EXPECT_THROW(static_cast<void>(synthetic_scene(1, 0, 31, 64)), Error);
  EXPECT_THROW(static_cast<void>(synthetic_scene(1, 0, 64, 1 << 20)), Error);
  EXPECT_THROW(static_cast<void>(synthetic_scene(1, -1, 64, 64)), Error);
}

TEST(Distort, BlurSpreadsAPointByItsSigma) {
  image::Image point = flat(65, {0, 0, 0});
  for (int dy = -1; dy <= 1; ++dy) {
    for (int dx = -1; dx <= 1; ++dx) {
      point.at(32 + dx, 32 + dy)[1] = 255;
    }
  }
  const image::Image blurred = distort(point, Distortion::kBlur, 3, 1);
  double sum = 0;
  double second = 0;
  for (int y = 0; y < 65; ++y) {
    for (int x = 0; x < 65; ++x) {
      sum += blurred.at(x, y)[1];
      second += blurred.at(x, y)[1] * (x - 32) * (x - 32);
    }
  }
  // A 3-pixel box has variance 2/3; variances add under convolution. Level 3 is sigma 1.3.
  EXPECT_NEAR(second / sum, 2.0 / 3 + 1.3 * 1.3, 0.1);
}

TEST(Distort, NoiseIsWhiteAndOfItsDeviation) {
  const image::Image noisy = distort(flat(128, {128, 128, 128}), Distortion::kNoise, 4, 1);
  std::vector<double> values(noisy.pixels.begin(), noisy.pixels.end());
  const Moments all = moments(values);
  EXPECT_NEAR(all.mean, 128, 0.6);
  EXPECT_NEAR(all.deviation, 30, 0.6);
  double neighbours = 0;
  for (std::size_t i = 3; i < values.size(); ++i) {
    neighbours += (values[i] - all.mean) * (values[i - 3] - all.mean);
  }
  EXPECT_NEAR(neighbours / static_cast<double>(values.size()) / (all.deviation * all.deviation), 0, 0.02);
  EXPECT_NE(noisy.pixels, distort(flat(128, {128, 128, 128}), Distortion::kNoise, 4, 2).pixels);
}

TEST(Distort, JpegLeavesBlockEdges) {
  const image::Image coarse = distort(synthetic_scene(1, 0, 128, 128), Distortion::kJpeg, 5, 1);
  double edges = 0;
  double inside = 0;
  for (int y = 0; y < 128; ++y) {
    for (int x = 0; x < 127; ++x) {
      const double step = std::abs(luma(coarse.at(x + 1, y)) - luma(coarse.at(x, y)));
      (x % 8 == 7 ? edges : inside) += step;
    }
  }
  EXPECT_GT(edges / 15, 2 * inside / 112);
}

TEST(Distort, ContrastScalesTheDeviationAndKeepsTheMean) {
  const image::Image scene = synthetic_scene(1, 4, 96, 96);
  const Moments before = moments({scene.pixels.begin(), scene.pixels.end()});
  const image::Image reduced = distort(scene, Distortion::kContrast, 4, 1);
  const Moments after = moments({reduced.pixels.begin(), reduced.pixels.end()});
  EXPECT_NEAR(after.mean, before.mean, 0.5);
  EXPECT_NEAR(after.deviation / before.deviation, 0.32, 0.005);
}

TEST(Distort, BlockLossReplacesWholeBlocksAndMoreOfThemByLevel) {
  const image::Image scene = synthetic_scene(1, 0, 128, 128);
  std::set<int> lost_before;
  for (const auto& [level, expected] : std::map<int, std::size_t>{{1, 1}, {2, 3}, {3, 6}, {4, 13}, {5, 23}}) {
    const image::Image damaged = distort(scene, Distortion::kBlockLoss, level, 9);
    std::set<int> lost;
    for (int y = 0; y < 128; ++y) {
      for (int x = 0; x < 128; ++x) {
        if (!std::equal(scene.at(x, y), scene.at(x, y) + 3, damaged.at(x, y))) {
          lost.insert(y / 16 * 8 + x / 16);
        }
      }
    }
    EXPECT_EQ(lost.size(), expected) << level;
    EXPECT_TRUE(std::includes(lost.begin(), lost.end(), lost_before.begin(), lost_before.end())) << level;
    lost_before = lost;
  }
}

TEST(Distort, ColourShiftMovesColourMoreThanLight) {
  const image::Image grey = flat(32, {120, 120, 120});
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    const image::Image shifted = distort(grey, Distortion::kColourShift, 3, seed);
    const auto [low, high] = std::minmax({shifted.pixels[0], shifted.pixels[1], shifted.pixels[2]});
    EXPECT_GT(high - low, 30) << seed;
    EXPECT_LT(std::abs(luma(shifted.pixels.data()) - 120), 15) << seed;
  }
}

TEST(Distort, RefusesLevelsOutOfRange) {
  const image::Image scene = flat(32, {1, 2, 3});
  EXPECT_THROW(static_cast<void>(distort(scene, Distortion::kBlur, 0, 1)), Error);
  EXPECT_THROW(static_cast<void>(distort(scene, Distortion::kBlur, 6, 1)), Error);
  EXPECT_THROW(static_cast<void>(distort(image::Image(), Distortion::kBlur, 1, 1)), Error);
}

TEST(SyntheticMos, OfThePristineIs100) {
  const image::Image scene = synthetic_scene(1, 1, 64, 64);
  EXPECT_EQ(synthetic_mos(scene, scene), 100);
}

// Flat colours, 176 pixels (5 scales): SSIM is its luminance term s = (2ab + C1) / (a^2 + b^2 + C1), MS-SSIM s^.1333,
// the chroma difference that of two colours. Computed in Python from those and the CIELAB formulas (sRGB, D65) with the
// documented map.
TEST(SyntheticMos, FollowsTheDocumentedFormula) {
  EXPECT_NEAR(synthetic_mos(flat(176, {60, 60, 60}), flat(176, {160, 160, 160})), 56.719, 0.001);
  EXPECT_NEAR(synthetic_mos(flat(176, {140, 120, 110}), flat(176, {120, 125, 130})), 50.9676, 0.01);
  EXPECT_NEAR(synthetic_mos(flat(176, {200, 90, 60}), flat(176, {90, 120, 160})), 10.8407, 0.01);
}

TEST(SyntheticMos, FallsWithTheLevelOfEveryDistortion) {
  for (const std::int64_t index : {0, 1, 2, 4, 6, 8}) {
    const image::Image scene = synthetic_scene(4, index, 96, 96);
    for (const Distortion distortion : kAllDistortions) {
      double last = 100;
      for (int level = 1; level <= kDistortionLevels; ++level) {
        const double mos = synthetic_mos(scene, distort(scene, distortion, level, 11));
        EXPECT_LT(mos, last - 1) << "scene " << index << " " << distortion_name(distortion) << " level " << level;
        last = mos;
      }
      EXPECT_LT(last, 60) << "scene " << index << " " << distortion_name(distortion);
    }
  }
}

TEST(SyntheticSet, BalancesDistortionsAndLevels) {
  for (const std::int64_t versions : {10, 7}) {
    const SyntheticSet set = make_synthetic_set({.references = 12, .versions = versions, .size = 32});
    ASSERT_EQ(set.images.size(), static_cast<std::size_t>(12 * (versions + 1)));
    ASSERT_EQ(set.dataset.samples.size(), set.images.size());
    std::map<std::string, int> pairs;
    std::set<std::string> names;
    for (const Sample& sample : set.dataset.samples) {
      EXPECT_EQ(sample.name.substr(0, 8), sample.reference);
      names.insert(sample.name);
      pairs[sample.name.substr(9)] += 1;
    }
    EXPECT_EQ(names.size(), set.images.size());
    EXPECT_EQ(pairs["pristine.png"], 12);
    pairs.erase("pristine.png");
    EXPECT_EQ(pairs.size(), 30U);
    for (const auto& [pair, count] : pairs) {
      EXPECT_NEAR(count, 12.0 * static_cast<double>(versions) / 30, versions == 10 ? 0 : 1) << pair;
    }
  }
}

TEST(SyntheticSet, SpreadsLabelsOverTheScale) {
  const SyntheticSet set = make_synthetic_set({.references = 12, .versions = 10, .size = 64});
  std::vector<double> labels;
  for (const Sample& sample : set.dataset.samples) {
    if (sample.name.find("pristine") == std::string::npos) {
      labels.push_back(sample.mos);
    } else {
      EXPECT_EQ(sample.mos, 100);
    }
  }
  const Moments spread = moments(labels);
  EXPECT_GT(spread.mean, 40);
  EXPECT_LT(spread.mean, 65);
  EXPECT_GT(spread.deviation, 20);
  EXPECT_EQ(set.dataset.scale.name, "synthetic MOS");
}

TEST(SyntheticSet, PutsEachReferenceIntoOneSet) {
  for (const auto& [references, held_out] : std::map<std::int64_t, std::size_t>{{3, 1}, {20, 3}}) {
    const SyntheticSet set = make_synthetic_set({.references = references, .versions = 1, .size = 32});
    std::map<std::string, std::set<std::string>> references_of;
    std::map<std::string, std::set<std::string>> sets_of;
    for (const Sample& sample : set.dataset.samples) {
      references_of[sample.set].insert(sample.reference);
      sets_of[sample.reference].insert(sample.set);
    }
    EXPECT_EQ(references_of["val"].size(), held_out);
    EXPECT_EQ(references_of["test"].size(), held_out);
    EXPECT_EQ(references_of["train"].size(), static_cast<std::size_t>(references) - 2 * held_out);
    for (const auto& [reference, sets] : sets_of) {
      EXPECT_EQ(sets.size(), 1U) << reference;
    }
  }
}

TEST(SyntheticSet, IsReadBackAsWritten) {
  const auto folder = scratch_folder();
  SyntheticSet set = make_synthetic_set({.references = 3, .versions = 2, .size = 32});
  write_synthetic_set(set, folder);
  const Dataset read = read_manifest(folder / "manifest.csv");
  EXPECT_EQ(read.digest(), set.dataset.digest());
  ASSERT_EQ(read.samples.size(), 9U);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(read.samples[i].path, set.dataset.samples[i].path);
    EXPECT_EQ(read.samples[i].reference, set.dataset.samples[i].reference);
    EXPECT_EQ(image::read_image(read.samples[i].path).value().pixels, set.images[i].pixels);
  }
}

TEST(SyntheticSet, RefusesWrongOptions) {
  const auto message = [](const SyntheticOptions& options) {
    return error_of([&] { static_cast<void>(make_synthetic_set(options)); }, ErrorKind::kUsage);
  };
  EXPECT_NE(message({.references = 2}).find("references 2"), std::string::npos);
  EXPECT_NE(message({.versions = 31}).find("versions 31"), std::string::npos);
  EXPECT_NE(message({.versions = 0}).find("versions 0"), std::string::npos);
  EXPECT_NE(message({.size = 16}).find("size 16"), std::string::npos);
  EXPECT_NE(message({.references = 100'000, .size = 1024}).find("GiB"), std::string::npos);
}

TEST(SyntheticSet, CropsReferencePhotographsAtHalfResolution) {
  const auto folder = scratch_folder();
  for (int i = 0; i < 3; ++i) {
    image::write_png(folder / fmt::format("{}.png", 9 - i), synthetic_scene(1, i, 192, 128));
  }
  write_text(folder / "notes.txt", "no photograph");
  image::write_png(folder / "small.png", flat(20, {1, 2, 3}));
  const SyntheticSet set = make_synthetic_set({.versions = 1, .size = 32, .reference_dir = folder});
  // Half of 192x128 is 96x64: 3x2 crops of 32, a pristine and one version each.
  ASSERT_EQ(set.images.size(), 3U * 6 * 2);
  EXPECT_EQ(set.dataset.samples[0].name, "photo-00-crop-0-pristine.png");
  EXPECT_EQ(set.dataset.samples[11].reference, "photo-00");
  EXPECT_EQ(set.dataset.samples[12].name, "photo-01-crop-0-pristine.png");
  // Sorted by name: 7.png (scene 2) comes first. Crop 4 is the middle of the lower row.
  const image::Image half = image::resize_bilinear(synthetic_scene(1, 2, 192, 128), 96, 64);
  EXPECT_EQ(set.images[8].pixels, image::crop(half, 32, 32, 32, 32).pixels);
  std::map<std::string, std::set<std::string>> references_of;
  for (const Sample& sample : set.dataset.samples) {
    references_of[sample.set].insert(sample.reference);
  }
  EXPECT_EQ(references_of.size(), 3U);
  EXPECT_EQ(references_of["test"].size(), 1U);
}

TEST(SyntheticSet, NeedsThreeReferencePhotographs) {
  const auto folder = scratch_folder();
  image::write_png(folder / "a.png", synthetic_scene(1, 0, 64, 64));
  image::write_png(folder / "b.png", synthetic_scene(1, 1, 64, 64));
  const auto message = [](const std::filesystem::path& dir) {
    return error_of([&] { static_cast<void>(make_synthetic_set({.size = 32, .reference_dir = dir})); });
  };
  EXPECT_NE(message(folder).find("at least 3"), std::string::npos);
  EXPECT_NE(message(folder / "missing").find("missing"), std::string::npos);
}

}  // namespace
}  // namespace steadyiqa::data
