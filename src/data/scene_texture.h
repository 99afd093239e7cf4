// What the synthetic scenes are painted with: power-law noise, palettes, patterned surfaces and the final tone.
#pragma once

#include "base/seed.h"

#include <opencv2/core.hpp>

#include <array>
#include <numbers>
#include <utility>
#include <vector>

namespace steadyiqa::data {

inline constexpr double kTau = 2 * std::numbers::pi;

/// Canvas pixels per image pixel and axis: scenes are painted larger and averaged down, which antialiases every edge.
inline constexpr int kSceneOversampling = 2;

/// Shape of a power-law noise field: amplitude spectrum f^-exponent, where f is stretched across `angle`.
struct NoiseShape {
  double exponent = 1;  ///< 1 gives the 1/f^2 power spectrum of natural images (Field 1987)
  double stretch = 1;   ///< 1 = isotropic; above, elongated along `angle`
  double angle = 0;     ///< radians
};

/// Two independent Gaussian fields (CV_32F, zero mean, unit deviation): the real and imaginary part of one inverse DFT.
[[nodiscard]] std::pair<cv::Mat, cv::Mat> noise_fields(Rng& rng, cv::Size size, const NoiseShape& shape);

/// Colours of one scene: two families of related hues, dark to light.
class Palette {
 public:
  explicit Palette(Rng& rng);
  /// A palette colour with some jitter, RGB in [0,1].
  [[nodiscard]] cv::Vec3f pick(Rng& rng) const;
  /// The colour at t in [0,1] along the palette, from dark to light.
  [[nodiscard]] cv::Vec3f at(float t) const;

 private:
  std::vector<cv::Vec3f> colours_;
};

/// A canvas-sized CV_32FC3 layer: a random one of flat shading, stripes, checks, bricks or grain, carrying `detail`.
[[nodiscard]] cv::Mat patterned_surface(Rng& rng, const Palette& palette, const cv::Mat& detail);

/// canvas = layer where `mask` (CV_8U, 255 = fully) says so. All of one size.
void blend(cv::Mat& canvas, const cv::Mat& layer, const cv::Mat& mask);

/// Averages the canvas down to image size and gives it mean, contrast, colour balance and colourfulness in the range of
/// photographs, so that a change of contrast or colour can be told without the pristine. CV_8UC3, RGB.
[[nodiscard]] cv::Mat finish_scene(Rng& rng, const cv::Mat& canvas);

}  // namespace steadyiqa::data
