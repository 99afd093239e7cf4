// Distortions in five levels and the label that a distorted image gets.
#include "data/synthetic.h"
#include "image/fidelity.h"

#include "base/seed.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace steadyiqa::data {

namespace {

using Levels = std::array<double, kDistortionLevels>;
constexpr Levels kBlurSigma = {0.55, 0.85, 1.3, 2.1, 3.6};  // pixels
constexpr Levels kNoiseDeviation = {4, 9, 17, 30, 52};      // grey levels of 255
constexpr Levels kJpegQuality = {60, 32, 17, 9, 4};
constexpr Levels kContrastKept = {0.82, 0.64, 0.47, 0.32, 0.19};  // share of the distance to the mean
constexpr Levels kBlocksLost = {0.015, 0.045, 0.10, 0.20, 0.36};  // share of all blocks
constexpr Levels kColourStrength = {0.12, 0.28, 0.48, 0.72, 1.0};

cv::Mat to_mat(const image::Image& image) {
  cv::Mat mat(image.height, image.width, CV_8UC3);
  std::copy(image.pixels.begin(), image.pixels.end(), mat.data);
  return mat;
}

image::Image from_mat(const cv::Mat& mat) {
  image::Image image(mat.cols, mat.rows);
  for (int y = 0; y < mat.rows; ++y) {
    const auto* row = mat.ptr<std::uint8_t>(y);
    std::copy(row, row + 3 * static_cast<std::ptrdiff_t>(mat.cols), image.at(0, y));
  }
  return image;
}

image::Image blur(const image::Image& pristine, double sigma) {
  cv::Mat blurred;
  cv::GaussianBlur(to_mat(pristine), blurred, cv::Size(), sigma, sigma, cv::BORDER_REFLECT_101);
  return from_mat(blurred);
}

image::Image add_noise(const image::Image& pristine, double deviation, Rng& rng) {
  image::Image noisy = pristine;
  for (std::uint8_t& value : noisy.pixels) {
    value = cv::saturate_cast<std::uint8_t>(value + deviation * rng.normal());
  }
  return noisy;
}

image::Image compress_jpeg(const image::Image& pristine, int quality) {
  return image::decode(image::encode_jpeg(pristine, quality), "synthetic jpeg").value();
}

image::Image reduce_contrast(const image::Image& pristine, double kept) {
  const cv::Mat source = to_mat(pristine);
  const cv::Scalar mean = cv::mean(source);
  const double grey = (mean[0] + mean[1] + mean[2]) / 3;
  image::Image flat = pristine;
  for (std::uint8_t& value : flat.pixels) {
    value = cv::saturate_cast<std::uint8_t>(grey + kept * (value - grey));
  }
  return flat;
}

/// A place half a block to two blocks beside `place`, inside 0..last where there is room.
int elsewhere(int place, int side, int last, Rng& rng) {
  const int distance = side / 2 + static_cast<int>(rng.below(3 * side / 2 + 1));
  const int shifted = rng.uniform() < 0.5 ? place - distance : place + distance;
  const bool inside = shifted >= 0 && shifted <= last;
  return std::clamp(inside ? shifted : 2 * place - shifted, 0, last);
}

/// Some blocks show mid-grey, as a decoder does that has nothing, or a neighbouring place's content, as one that
/// conceals. Their order depends on the seed alone, so that a higher level loses the same blocks and more.
image::Image lose_blocks(const image::Image& pristine, double share, Rng& rng) {
  const int side = std::min(pristine.width, pristine.height) < 128 ? 8 : 16;
  const int columns = std::max(1, pristine.width / side);
  const int rows = std::max(1, pristine.height / side);
  std::vector<int> order(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  shuffle(order, rng);
  const auto lost = std::max<std::int64_t>(1, std::llround(share * static_cast<double>(order.size())));
  cv::Mat damaged = to_mat(pristine);
  const cv::Mat source = damaged.clone();
  for (std::int64_t i = 0; i < std::min<std::int64_t>(lost, static_cast<std::int64_t>(order.size())); ++i) {
    const int block = order[static_cast<std::size_t>(i)];
    const int left = block % columns * side;
    const int top = block / columns * side;
    const cv::Rect area(left, top, std::min(side, pristine.width - left), std::min(side, pristine.height - top));
    const bool flat = rng.uniform() < 0.75;
    const int other_left = elsewhere(left, side, pristine.width - area.width, rng);
    const int other_top = elsewhere(top, side, pristine.height - area.height, rng);
    const cv::Rect other(other_left, other_top, area.width, area.height);
    if (flat) {
      damaged(area).setTo(cv::Scalar::all(128));
    } else {
      source(other).copyTo(damaged(area));
    }
  }
  return from_mat(damaged);
}

/// A colour cast (gains on red against blue, or green against both) with the saturation raised or lowered. The
/// direction comes from the seed, the size from the level.
image::Image shift_colour(const image::Image& pristine, double strength, Rng& rng) {
  const double sign = rng.uniform() < 0.5 ? -1 : 1;
  const bool warm = rng.uniform() < 0.6;
  const double saturation = 1 + strength * (rng.uniform() < 0.5 ? 0.6 : -0.6);
  const double gain = 0.42 * strength * sign;
  const std::array<double, 3> gains =
      warm ? std::array{1 + gain, 1.0, 1 - gain} : std::array{1 - gain / 2, 1 + gain, 1 - gain / 2};
  image::Image shifted = pristine;
  for (std::size_t i = 0; i + 2 < shifted.pixels.size(); i += 3) {
    const double luma = 0.299 * pristine.pixels[i] + 0.587 * pristine.pixels[i + 1] + 0.114 * pristine.pixels[i + 2];
    for (std::size_t c = 0; c < 3; ++c) {
      const double value = gains[c] * (luma + saturation * (pristine.pixels[i + c] - luma));
      shifted.pixels[i + c] = cv::saturate_cast<std::uint8_t>(value);
    }
  }
  return shifted;
}

/// sRGB decoded to linear light (IEC 61966-2-1), the same for every 8-bit value.
const std::array<float, 256>& linear_light() {
  static const std::array<float, 256> kTable = [] {
    std::array<float, 256> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double v = static_cast<double>(i) / 255;
      values.at(i) = static_cast<float>(v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4));
    }
    return values;
  }();
  return kTable;
}

/// CIELAB a and b of linear sRGB (CIE 15; D65 as the sum of the primaries, so that greys have none). OpenCV's
/// conversion of floats interpolates in a table and is off by up to half a unit.
cv::Vec2d lab_chroma(const cv::Vec3f& rgb) {
  const auto f = [](double t) { return t > 216.0 / 24389 ? std::cbrt(t) : (24389.0 / 27 * t + 16) / 116; };
  const double x = f((0.412453 * rgb[0] + 0.357580 * rgb[1] + 0.180423 * rgb[2]) / 0.950456);
  const double y = f(0.212671 * rgb[0] + 0.715160 * rgb[1] + 0.072169 * rgb[2]);
  const double z = f((0.019334 * rgb[0] + 0.119193 * rgb[1] + 0.950227 * rgb[2]) / 1.088754);
  return {500 * (x - y), 200 * (y - z)};
}

/// Mean CIELAB chroma difference after pooling light over a few pixels (as S-CIELAB does: the eye resolves colour
/// coarsely).
double chroma_difference(const image::Image& pristine, const image::Image& distorted) {
  constexpr double kPoolingSigma = 2;
  const auto pooled_light = [](const image::Image& image) {
    cv::Mat light(image.height, image.width, CV_32FC3);
    std::transform(image.pixels.begin(), image.pixels.end(), light.ptr<float>(),
                   [&table = linear_light()](std::uint8_t value) { return table.at(value); });
    cv::GaussianBlur(light, light, cv::Size(), kPoolingSigma, kPoolingSigma, cv::BORDER_REFLECT_101);
    return light;
  };
  const cv::Mat first = pooled_light(pristine);
  const cv::Mat second = pooled_light(distorted);
  double sum = 0;
  for (int y = 0; y < first.rows; ++y) {
    for (int x = 0; x < first.cols; ++x) {
      sum += cv::norm(lab_chroma(first.at<cv::Vec3f>(y, x)) - lab_chroma(second.at<cv::Vec3f>(y, x)));
    }
  }
  return sum / static_cast<double>(first.total());
}

}  // namespace

std::string distortion_name(Distortion distortion) {
  static constexpr std::array kNames = {"blur", "noise", "jpeg", "contrast", "blocks", "colour"};
  static_assert(kNames.size() == kDistortionCount);
  return kNames.at(static_cast<std::size_t>(distortion));
}

image::Image distort(const image::Image& pristine, Distortion distortion, int level, std::uint64_t seed) {
  if (level < 1 || level > kDistortionLevels) {
    fail_usage("distort: level {} is outside 1..{}", level, kDistortionLevels);
  }
  if (pristine.empty()) {
    fail_input("distort: the image is empty");
  }
  const auto step = static_cast<std::size_t>(level - 1);
  Rng rng(derive_seed(seed, "distort", static_cast<std::uint64_t>(distortion)));
  switch (distortion) {
    case Distortion::kBlur:
      return blur(pristine, kBlurSigma[step]);
    case Distortion::kNoise:
      return add_noise(pristine, kNoiseDeviation[step], rng);
    case Distortion::kJpeg:
      return compress_jpeg(pristine, static_cast<int>(kJpegQuality[step]));
    case Distortion::kContrast:
      return reduce_contrast(pristine, kContrastKept[step]);
    case Distortion::kBlockLoss:
      return lose_blocks(pristine, kBlocksLost[step], rng);
    case Distortion::kColourShift:
      return shift_colour(pristine, kColourStrength[step], rng);
  }
  fail_usage("distort: no such distortion {}", static_cast<int>(distortion));
}

// Impairment D = wS (1 - SSIM) + wM (1 - MS-SSIM) + wC min(dC / 100, 1), label = 100 / (1 + (D / D50)^p). SSIM and
// MS-SSIM are of luma (image/fidelity.h); dC is the mean pooled CIELAB chroma difference. D50 is the impairment rated
// 50; p > 1 stretches the middle of the range towards both ends.
double synthetic_mos(const image::Image& pristine, const image::Image& distorted) {
  constexpr double kSsimWeight = 0.5;
  constexpr double kMsSsimWeight = 1.0;
  constexpr double kChromaWeight = 2.0;
  constexpr double kHalf = 0.28;
  constexpr double kPower = 1.25;
  const double structure = kSsimWeight * (1 - image::ssim(pristine, distorted));
  const double scales = kMsSsimWeight * (1 - image::ms_ssim(pristine, distorted));
  const double colour = kChromaWeight * std::min(chroma_difference(pristine, distorted) / 100, 1.0);
  const double impairment = std::max(0.0, structure + scales + colour);
  return 100 / (1 + std::pow(impairment / kHalf, kPower));
}

}  // namespace steadyiqa::data
