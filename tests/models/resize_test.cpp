#include "models/resize.h"

#include "data/loader.h"
#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <utility>
#include <vector>

namespace steadyiqa::models {
namespace {

using image::Filter;

constexpr std::pair<int, int> kSizes[] = {{20, 31}, {90, 101}, {48, 10}, {60, 31}, {48, 60}};  // width, height

/// 8-bit pixels, 60 wide and 48 high.
torch::Tensor levels() { return torch::round(hash_pixels(5, 1, 48, 60) * 255) / 255.0F; }

TEST(ResizeStraightThrough, IsTheLibrarysFor8BitPixels) {
  const auto pixels = levels();
  for (const auto filter : {Filter::kPillowBilinear, Filter::kOpencvCubic}) {
    for (const auto& [width, height] : kSizes) {
      // tests/image/resize_test.cpp compares image::resize with Pillow and OpenCV.
      const auto expected = data::to_tensor(image::resize(data::to_image(pixels), width, height, filter));
      const auto leaf = pixels.clone().requires_grad_(true);
      EXPECT_TRUE(torch::equal(resize_straight_through(leaf, height, width, filter)[0], expected));
      const torch::NoGradGuard no_grad;
      EXPECT_TRUE(torch::equal(resize_straight_through(pixels, height, width, filter)[0], expected));
    }
  }
}

TEST(ResizeStraightThrough, LinearMapIsTheResizeBeforeItsRounding) {
  // Pillow rounds after each of two passes: at most half a level each, the weights of a row sum to 1. Smooth pixels
  // keep the cubic away from its clipping.
  const auto smooth = torch::round(torch::linspace(40, 210, 48 * 60 * 3).view({1, 48, 60, 3})).permute({0, 3, 1, 2});
  const auto pixels = (smooth / 255.0F).contiguous();
  for (const auto filter : {Filter::kPillowBilinear, Filter::kOpencvCubic}) {
    for (const auto& [width, height] : kSizes) {
      const auto difference =
          resize_linear(pixels, height, width, filter) - resize_straight_through(pixels, height, width, filter);
      EXPECT_LT(difference.abs().max().item<double>() * 255, 1.05) << width << "x" << height;
    }
  }
}

TEST(ResizeStraightThrough, GradientAgreesWithFiniteDifferencesOfTheLinearMap) {
  const auto pixels = levels().to(torch::kFloat64);
  for (const auto filter : {Filter::kPillowBilinear, Filter::kOpencvCubic}) {
    for (const auto& [width, height] : kSizes) {
      const auto weights = hash_input(7, 1, height, width).to(torch::kFloat64);
      const auto leaf = pixels.clone().requires_grad_(true);
      (resize_straight_through(leaf, height, width, filter) * weights).sum().backward();
      const auto v = hash_input(9, 1, 48, 60).to(torch::kFloat64);
      const auto at = [&, width = width, height = height](double h) {
        return (resize_linear(pixels + h * v, height, width, filter) * weights).sum().item<double>();
      };
      const double h = 1e-3;
      const double expected = (at(h) - at(-h)) / (2 * h);
      // Rounding of sums near 1e3 in float64, divided by h.
      EXPECT_NEAR((leaf.grad() * v).sum().item<double>(), expected, 1e-8) << width << "x" << height;
    }
  }
}

TEST(ResizeStraightThrough, ChangeBelowOneLevelShows) {
  const auto grey = torch::full({1, 3, 40, 40}, 100.0F / 255.0F);
  const auto resized = resize_straight_through(grey + 0.2F / 255.0F, 20, 20, Filter::kPillowBilinear);
  EXPECT_TRUE(torch::allclose(resized * 255, torch::full({1, 3, 20, 20}, 100.2F), 0, 1e-4));
}

}  // namespace
}  // namespace steadyiqa::models
