#include "image/fidelity.h"

#include "image/noise.h"

#include <gtest/gtest.h>

#include <cmath>

namespace steadyiqa::image {
namespace {

/// Seven eighths scene, one eighth noise.
Image distorted_scene(int width, int height) {
  Image image = scene(width, height);
  const Image other = noise(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>((image.pixels[i] * 7 + other.pixels[i]) / 8);
  }
  return image;
}

Image negative(const Image& image) {
  Image result = image;
  for (std::uint8_t& value : result.pixels) {
    value = static_cast<std::uint8_t>(255 - value);
  }
  return result;
}

// Golden numbers: tests/image/make_samples.py (numpy, scipy.ndimage.gaussian_filter).
TEST(Fidelity, PsnrEqualsNumpy) {
  EXPECT_NEAR(psnr(scene(200, 179), distorted_scene(200, 179)), 28.437041932359, 1e-9);
  EXPECT_NEAR(psnr(scene(61, 45), distorted_scene(61, 45)), 28.534962838991, 1e-9);
}

TEST(Fidelity, SsimEqualsScipy) {
  EXPECT_NEAR(ssim(scene(200, 179), distorted_scene(200, 179)), 0.956072342869, 1e-9);
  EXPECT_NEAR(ssim(scene(61, 45), distorted_scene(61, 45)), 0.958396873019, 1e-9);
  EXPECT_NEAR(ssim(scene(64, 64), negative(scene(64, 64))), -0.594432378800, 1e-9);
}

TEST(Fidelity, MultiScaleSsimEqualsScipyAtFiveAndAtThreeScales) {
  EXPECT_NEAR(ms_ssim(scene(200, 179), distorted_scene(200, 179)), 0.982408111227, 1e-9);
  EXPECT_NEAR(ms_ssim(scene(61, 45), distorted_scene(61, 45)), 0.982225297589, 1e-9);
}

TEST(Fidelity, MultiScaleSsimClampsNegativeContrast) {
  EXPECT_EQ(ms_ssim(scene(64, 64), negative(scene(64, 64))), 0.0);
}

TEST(Fidelity, EqualImagesArePerfect) {
  const Image image = scene(40, 30);
  EXPECT_TRUE(std::isinf(psnr(image, image)));
  EXPECT_DOUBLE_EQ(ssim(image, image), 1.0);
  EXPECT_DOUBLE_EQ(ms_ssim(image, image), 1.0);
}

TEST(Fidelity, RefusesImagesThatCannotBeCompared) {
  EXPECT_THROW(static_cast<void>(psnr(scene(20, 20), scene(20, 21))), Error);
  EXPECT_THROW(static_cast<void>(ssim(scene(10, 20), scene(10, 20))), Error);
  EXPECT_THROW(static_cast<void>(ms_ssim(scene(20, 10), scene(20, 10))), Error);
  EXPECT_THROW(static_cast<void>(psnr(Image(), Image())), Error);
}

}  // namespace
}  // namespace steadyiqa::image
