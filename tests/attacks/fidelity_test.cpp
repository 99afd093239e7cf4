#include "attacks/fidelity.h"

#include "base/expect_error.h"
#include "data/loader.h"
#include "image/fidelity.h"
#include "image/noise.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

/// Seven eighths scene, one eighth noise, as in tests/image.
image::Image distorted_scene(int width, int height) {
  auto image = image::scene(width, height);
  const auto other = image::noise(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>((image.pixels[i] * 7 + other.pixels[i]) / 8);
  }
  return image;
}

torch::Tensor tensor(const image::Image& image) { return data::to_tensor(image).unsqueeze(0); }

// Values: tests/image/make_samples.py (numpy, scipy.ndimage.gaussian_filter). 1e-6 is what float32 pixels allow.
TEST(TensorSsim, EqualsScipy) {
  const double large = ssim(tensor(image::scene(200, 179)), tensor(distorted_scene(200, 179))).item<double>();
  EXPECT_NEAR(large, 0.956072342869, 1e-6);
  const double small = ssim(tensor(image::scene(61, 45)), tensor(distorted_scene(61, 45))).item<double>();
  EXPECT_NEAR(small, 0.958396873019, 1e-6);
  const auto square = tensor(image::scene(64, 64));
  EXPECT_NEAR(ssim(square, 1 - square).item<double>(), -0.594432378800, 1e-6);
}

TEST(TensorSsim, EqualsThatOfImagesForEachItemOfABatch) {
  const auto reference = image::scene(40, 23);
  const auto near = distorted_scene(40, 23);
  const auto far = image::noise(40, 23);
  const auto result = ssim(torch::cat({tensor(near), tensor(far)}), torch::cat({tensor(reference), tensor(reference)}));
  EXPECT_NEAR(result[0].item<double>(), image::ssim(near, reference), 1e-6);
  EXPECT_NEAR(result[1].item<double>(), image::ssim(far, reference), 1e-6);
}

TEST(TensorSsim, HasTheGradientOfItsFiniteDifferences) {
  const auto x = tensor(distorted_scene(19, 14)).to(torch::kFloat64).requires_grad_(true);
  const auto y = tensor(image::scene(19, 14)).to(torch::kFloat64);
  const auto gradient = torch::autograd::grad({ssim(x, y).sum()}, {x})[0].flatten();
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (const std::int64_t i : {0, 100, 317, 401, 640}) {
    auto shift = torch::zeros_like(x);
    shift.view(-1)[i] = kStep;
    const double difference = (ssim(x + shift, y) - ssim(x - shift, y)).item<double>() / (2 * kStep);
    EXPECT_NEAR(gradient[i].item<double>(), difference, 1e-8 + 1e-6 * std::abs(difference)) << i;
  }
}

TEST(TensorSsim, RefusesImagesSmallerThanItsWindow) {
  const auto x = torch::zeros({1, 3, 10, 40});
  const auto message = testing::error_message(ErrorKind::kInput, [&] { static_cast<void>(ssim(x, x)); });
  EXPECT_NE(message.find("40x10"), std::string::npos) << message;
}

}  // namespace
}  // namespace steadyiqa::attacks
