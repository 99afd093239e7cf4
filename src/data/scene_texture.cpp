#include "data/scene_texture.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>

namespace steadyiqa::data {

namespace {

cv::Vec3f hsv_to_rgb(double hue, double saturation, double value) {
  const auto channel = [&](double n) {
    const double k = std::fmod(n + 6 * (hue - std::floor(hue)), 6.0);
    return static_cast<float>(value - value * saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0));
  };
  return {channel(5), channel(3), channel(1)};
}

/// Earth and skin, foliage, sky and water make up most of a photograph; any other hue is possible.
double natural_hue(Rng& rng) {
  const double choice = rng.uniform();
  if (choice < 0.35) {
    return rng.uniform(0.03, 0.14);
  }
  if (choice < 0.6) {
    return rng.uniform(0.19, 0.36);
  }
  return choice < 0.85 ? rng.uniform(0.53, 0.65) : rng.uniform(0, 1);
}

void standardise(cv::Mat& field) {
  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(field, mean, deviation);
  const double scale = 1 / std::max(deviation[0], 1e-12);
  field.convertTo(field, CV_32F, scale, -mean[0] * scale);
}

/// 0 or 1 (or a value between, for grain): which of a surface's two colours a point has.
enum class Pattern { kFlat, kStripes, kChecks, kBricks, kGrain, kCount };

float pattern_value(Pattern pattern, double u, double v) {
  switch (pattern) {
    case Pattern::kStripes:
      return u - std::floor(u) < 0.5 ? 1.0F : 0.0F;
    case Pattern::kChecks:
      return (static_cast<long>(std::floor(u)) + static_cast<long>(std::floor(v))) % 2 == 0 ? 1.0F : 0.0F;
    case Pattern::kBricks: {
      const double row = std::floor(v);
      const double along = u / 2 + (static_cast<long>(row) % 2 == 0 ? 0.5 : 0.0);
      return v - row < 0.16 || along - std::floor(along) < 0.08 ? 1.0F : 0.0F;
    }
    default:
      return 0.0F;
  }
}

/// The detail field drawn out into streaks.
float grain_value(const cv::Mat& detail, double u, double v) {
  const auto wrap = [](double place, int side) {
    const int whole = static_cast<int>(std::floor(place)) % side;
    return whole < 0 ? whole + side : whole;
  };
  return std::clamp(0.5F + 0.4F * detail.at<float>(wrap(v * 9, detail.rows), wrap(u * 3, detail.cols)), 0.0F, 1.0F);
}

}  // namespace

std::pair<cv::Mat, cv::Mat> noise_fields(Rng& rng, cv::Size size, const NoiseShape& shape) {
  const int height = cv::getOptimalDFTSize(size.height);
  const int width = cv::getOptimalDFTSize(size.width);
  const double cosine = std::cos(shape.angle);
  const double sine = std::sin(shape.angle);
  const auto half_power = static_cast<float>(-shape.exponent / 2);
  cv::Mat spectrum(height, width, CV_32FC2);
  for (int y = 0; y < height; ++y) {
    const double fy = static_cast<double>(y <= height / 2 ? y : y - height) / height;
    for (int x = 0; x < width; ++x) {
      const double fx = static_cast<double>(x <= width / 2 ? x : x - width) / width;
      const double along = (fx * cosine + fy * sine) * shape.stretch;
      const double across = (fy * cosine - fx * sine) / shape.stretch;
      const auto square = static_cast<float>(along * along + across * across);
      const float gain = square > 0 ? std::pow(square, half_power) : 0;
      // Uniform coefficients do: a pixel sums so many of them that it is as good as normal, without a log and a cosine
      // each.
      const auto real = static_cast<float>(rng.uniform(-1, 1));
      const auto imaginary = static_cast<float>(rng.uniform(-1, 1));
      spectrum.at<cv::Vec2f>(y, x) = {gain * real, gain * imaginary};
    }
  }
  cv::Mat fields;
  cv::dft(spectrum, fields, cv::DFT_INVERSE | cv::DFT_SCALE);
  std::array<cv::Mat, 2> parts;
  cv::split(fields(cv::Rect({0, 0}, size)), parts.data());
  standardise(parts[0]);
  standardise(parts[1]);
  return {parts[0], parts[1]};
}

Palette::Palette(Rng& rng) {
  const double first = natural_hue(rng);
  const double second = natural_hue(rng);
  constexpr int kColours = 7;
  for (int i = 0; i < kColours; ++i) {
    const double family = rng.uniform() < 0.6 ? first : second;
    const double hue = family + rng.uniform(-0.05, 0.05);
    const double value = 0.14 + 0.78 * (i + rng.uniform(-0.3, 0.3)) / (kColours - 1);
    // Very dark and very light surfaces are rarely saturated in photographs.
    const double saturation = rng.uniform(0.1, 0.75) * (value > 0.8 ? 0.5 : 1);
    colours_.push_back(hsv_to_rgb(hue, saturation, std::clamp(value, 0.05, 1.0)));
  }
}

cv::Vec3f Palette::pick(Rng& rng) const {
  const cv::Vec3f colour = colours_[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(colours_.size())))];
  const auto gain = static_cast<float>(rng.uniform(0.8, 1.2));
  const auto shift = [&] { return static_cast<float>(rng.uniform(-0.04, 0.04)); };
  const float red = shift();
  const float green = shift();
  const float blue = shift();
  return colour * gain + cv::Vec3f(red, green, blue);
}

cv::Vec3f Palette::at(float t) const {
  const float place = std::clamp(t, 0.0F, 1.0F) * static_cast<float>(colours_.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(place), colours_.size() - 2);
  const float weight = place - static_cast<float>(low);
  return colours_[low] * (1 - weight) + colours_[low + 1] * weight;
}

cv::Mat patterned_surface(Rng& rng, const Palette& palette, const cv::Mat& detail) {
  const auto pattern = static_cast<Pattern>(rng.below(static_cast<std::int64_t>(Pattern::kCount)));
  const cv::Vec3f ground = palette.pick(rng);
  const cv::Vec3f figure = palette.pick(rng);
  const double angle = rng.uniform() < 0.4 ? 0 : rng.uniform(0, kTau);
  const double period = kSceneOversampling * 3 * std::pow(6.0, rng.uniform());
  const double cosine = std::cos(angle) / period;
  const double sine = std::sin(angle) / period;
  const double shade_angle = rng.uniform(0, kTau);
  const auto shade_x = static_cast<float>(0.35 * std::cos(shade_angle) / detail.cols);
  const auto shade_y = static_cast<float>(0.35 * std::sin(shade_angle) / detail.rows);
  const auto amplitude = static_cast<float>(rng.uniform(0.06, 0.18));
  cv::Mat surface(detail.size(), CV_32FC3);
  const int middle_x = detail.cols / 2;
  const int middle_y = detail.rows / 2;
  for (int y = 0; y < detail.rows; ++y) {
    for (int x = 0; x < detail.cols; ++x) {
      const double u = x * cosine + y * sine;
      const double v = y * cosine - x * sine;
      const float mix = pattern == Pattern::kGrain ? grain_value(detail, u, v) : pattern_value(pattern, u, v);
      const float shade = 1 + shade_x * static_cast<float>(x - middle_x) + shade_y * static_cast<float>(y - middle_y) +
                          amplitude * detail.at<float>(y, x);
      surface.at<cv::Vec3f>(y, x) = (ground * (1 - mix) + figure * mix) * shade;
    }
  }
  return surface;
}

void blend(cv::Mat& canvas, const cv::Mat& layer, const cv::Mat& mask) {
  for (int y = 0; y < canvas.rows; ++y) {
    for (int x = 0; x < canvas.cols; ++x) {
      const int cover = mask.at<std::uint8_t>(y, x);
      if (cover > 0) {
        const float weight = static_cast<float>(cover) / 255.0F;
        auto& pixel = canvas.at<cv::Vec3f>(y, x);
        pixel = pixel * (1 - weight) + layer.at<cv::Vec3f>(y, x) * weight;
      }
    }
  }
}

cv::Mat finish_scene(Rng& rng, const cv::Mat& canvas) {
  cv::Mat scene;
  cv::resize(canvas, scene, canvas.size() / kSceneOversampling, 0, 0, cv::INTER_AREA);
  const double target_mean = rng.uniform(0.40, 0.54);
  const double target_deviation = rng.uniform(0.19, 0.24);
  const double target_chroma = rng.uniform(0.06, 0.12);
  cv::Mat luma;
  cv::cvtColor(scene, luma, cv::COLOR_RGB2GRAY);
  cv::Scalar luma_mean;
  cv::Scalar luma_deviation;
  cv::meanStdDev(luma, luma_mean, luma_deviation);
  const double gain = target_deviation / std::max(luma_deviation[0], 0.02);
  const cv::Scalar mean = cv::mean(scene);
  // Chroma here: a channel's distance from luma, both about their means (grey world).
  double chroma = 0;
  for (int y = 0; y < scene.rows; ++y) {
    for (int x = 0; x < scene.cols; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double difference = scene.at<cv::Vec3f>(y, x)[c] - mean[c] - luma.at<float>(y, x) + luma_mean[0];
        chroma += difference * difference;
      }
    }
  }
  chroma = std::sqrt(chroma / (3.0 * static_cast<double>(scene.total())));
  const double chroma_gain = std::min(target_chroma / std::max(chroma, 1e-3), 3 * gain);
  // A part of the scene's own cast stays: photographs are grey on average only roughly.
  cv::Scalar cast;
  for (int c = 0; c < 3; ++c) {
    cast[c] = std::clamp(0.5 * chroma_gain * (mean[c] - luma_mean[0]), -0.06, 0.06);
  }
  cv::Mat result(scene.size(), CV_8UC3);
  for (int y = 0; y < scene.rows; ++y) {
    for (int x = 0; x < scene.cols; ++x) {
      const double light = luma.at<float>(y, x) - luma_mean[0];
      for (int c = 0; c < 3; ++c) {
        const double tint = scene.at<cv::Vec3f>(y, x)[c] - mean[c] - light;
        const double value = target_mean + cast[c] + gain * light + chroma_gain * tint;
        result.at<cv::Vec3b>(y, x)[c] = cv::saturate_cast<std::uint8_t>(255 * value);
      }
    }
  }
  return result;
}

}  // namespace steadyiqa::data
