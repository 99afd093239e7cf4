// Pillow's antialiased bilinear resize (Resample.c), bit for bit: same expressions in the same order; OpenCV's by
// itself.
#include "image/resize.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace steadyiqa::image {
namespace {

constexpr int kPrecisionBits = 22;  // 32 - 8 bits of pixel - 2 of headroom

double triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

std::vector<Tap> pillow_bilinear_taps(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double support = std::max(scale, 1.0);
  const double inverse = 1.0 / support;
  std::vector<Tap> taps;
  for (int o = 0; o < out; ++o) {
    const double center = (o + 0.5) * scale;
    const int low = std::max(static_cast<int>(std::trunc(center - support + 0.5)), 0);
    const int high = std::min(static_cast<int>(std::trunc(center + support + 0.5)), in);
    const std::size_t first = taps.size();
    double sum = 0.0;
    for (int i = 0; i < high - low; ++i) {
      taps.push_back({o, i + low, triangle((i + low - center + 0.5) * inverse)});
      sum += taps.back().weight;
    }
    for (std::size_t i = first; i < taps.size(); ++i) {
      taps[i].weight = sum != 0.0 ? taps[i].weight / sum : 0.0;
    }
  }
  return taps;
}

/// Keys' cubic convolution (1981) with a = -0.75 at the four neighbours, positions in float as in OpenCV.
std::vector<Tap> opencv_cubic_taps(int in, int out) {
  constexpr double kA = -0.75;
  const double scale = static_cast<double>(in) / out;
  const auto near = [](double x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((x - 5) * x + 8) * x * kA - 4 * kA; };
  std::vector<Tap> taps;
  for (int o = 0; o < out; ++o) {
    const auto position = static_cast<float>((o + 0.5) * scale - 0.5);
    const int left = static_cast<int>(std::floor(position));
    const double x = static_cast<double>(position) - left;
    const std::array<double, 4> weights = {far(1 + x), near(x), near(1 - x), far(2 - x)};
    for (int i = 0; i < 4; ++i) {
      taps.push_back({o, std::clamp(left - 1 + i, 0, in - 1), weights[static_cast<std::size_t>(i)]});
    }
  }
  return taps;
}

/// For each output position the first input position, and the fixed-point weights from there on.
struct FixedTaps {
  std::vector<int> first;
  std::vector<int> count;
  std::vector<std::size_t> start;  ///< of the output's weights
  std::vector<std::int32_t> weights;
};

FixedTaps fixed_taps(int in, int out) {
  FixedTaps fixed;
  for (const Tap& tap : pillow_bilinear_taps(in, out)) {
    if (fixed.first.size() == static_cast<std::size_t>(tap.output)) {
      fixed.first.push_back(tap.input);
      fixed.count.push_back(0);
      fixed.start.push_back(fixed.weights.size());
    }
    ++fixed.count.back();
    fixed.weights.push_back(static_cast<std::int32_t>(std::trunc(0.5 + tap.weight * (1 << kPrecisionBits))));
  }
  return fixed;
}

/// `source` points at the first tap's sample, the next ones lie `step` apart.
std::uint8_t weigh(const std::uint8_t* source, std::size_t step, const std::int32_t* weights, int count) {
  std::int32_t sum = 1 << (kPrecisionBits - 1);
  for (int i = 0; i < count; ++i) {
    sum += source[static_cast<std::size_t>(i) * step] * weights[i];
  }
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

Image resize_width(const Image& image, int width) {
  const FixedTaps taps = fixed_taps(image.width, width);
  Image result(width, image.height);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto o = static_cast<std::size_t>(x);
      const std::uint8_t* source = image.at(taps.first[o], y);
      std::uint8_t* target = result.at(x, y);
      for (int c = 0; c < 3; ++c) {
        target[c] = weigh(source + c, 3, &taps.weights[taps.start[o]], taps.count[o]);
      }
    }
  }
  return result;
}

Image resize_height(const Image& image, int height) {
  const FixedTaps taps = fixed_taps(image.height, height);
  Image result(image.width, height);
  const std::size_t row = static_cast<std::size_t>(image.width) * 3;
  for (int y = 0; y < height; ++y) {
    const auto o = static_cast<std::size_t>(y);
    const std::uint8_t* source = image.at(0, taps.first[o]);
    std::uint8_t* target = result.at(0, y);
    for (std::size_t i = 0; i < row; ++i) {
      target[i] = weigh(source + i, row, &taps.weights[taps.start[o]], taps.count[o]);
    }
  }
  return result;
}

Image resize_opencv_cubic(const Image& image, int width, int height) {
  const cv::Mat source(image.height, image.width, CV_8UC3, const_cast<std::uint8_t*>(image.pixels.data()));
  Image result(width, height);
  cv::Mat target(height, width, CV_8UC3, result.pixels.data());
  cv::resize(source, target, target.size(), 0, 0, cv::INTER_CUBIC);
  return result;
}

/// A whole number from 1 to DecodeLimits::max_side, or 0.
int side_of(std::string_view text) {
  int side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && side >= 1 && side <= DecodeLimits{}.max_side ? side : 0;
}

}  // namespace

std::vector<Tap> resize_taps(Filter filter, int in, int out) {
  STEADYIQA_ASSERT(in > 0 && out > 0, "resize of or to an empty size");
  return filter == Filter::kPillowBilinear ? pillow_bilinear_taps(in, out) : opencv_cubic_taps(in, out);
}

std::vector<ResizeStep> parse_resize(const std::string& text) {
  std::vector<ResizeStep> steps;
  if (text == "none") {
    return steps;
  }
  constexpr std::string_view kShort = "short:";
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string_view part = std::string_view(text).substr(start, end - start);
    const std::size_t cross = part.find('x');
    ResizeStep step;
    if (part.starts_with(kShort)) {
      step.short_side = side_of(part.substr(kShort.size()));
    } else if (cross != std::string_view::npos) {
      step.height = side_of(part.substr(0, cross));
      step.width = side_of(part.substr(cross + 1));
    }
    if (step.short_side == 0 && (step.height == 0 || step.width == 0)) {
      fail_usage("resize '{}' is neither none nor HEIGHTxWIDTH nor short:SIDE (several: with commas)", text);
    }
    steps.push_back(step);
    start = end + 1;
  }
  return steps;
}

Size checked_size(Size from, std::int64_t width, std::int64_t height) {
  const DecodeLimits limits;
  if (std::max(width, height) > limits.max_side || width * height > limits.max_pixels) {
    fail_input("an image of {}x{} cannot be resized to {}x{}: more than {} pixels or a side above {}", from.width,
               from.height, width, height, limits.max_pixels, limits.max_side);
  }
  return {static_cast<int>(width), static_cast<int>(height)};
}

Size size_after(const ResizeStep& step, Size size) {
  if (step.short_side == 0) {
    return checked_size(size, step.width, step.height);
  }
  const std::int64_t shorter = std::min(size.width, size.height);
  return checked_size(size, std::int64_t{step.short_side} * size.width / shorter,
                      std::int64_t{step.short_side} * size.height / shorter);
}

Image resize(Image image, const ResizeRule& rule) {
  for (const ResizeStep& step : rule.steps) {
    const Size size = size_after(step, {image.width, image.height});
    image = resize(image, size.width, size.height, rule.filter);
  }
  return image;
}

Image resize(const Image& image, int width, int height, Filter filter) {
  STEADYIQA_ASSERT(!image.empty(), "resize of an empty image");
  STEADYIQA_ASSERT(width > 0 && height > 0, "resize to an empty size");
  return filter == Filter::kPillowBilinear ? resize_bilinear(image, width, height)
                                           : resize_opencv_cubic(image, width, height);
}

Image resize_bilinear(const Image& image, int width, int height) {
  STEADYIQA_ASSERT(!image.empty(), "resize of an empty image");
  STEADYIQA_ASSERT(width > 0 && height > 0, "resize to an empty size");
  Image result = width == image.width ? image : resize_width(image, width);
  return height == result.height ? result : resize_height(result, height);
}

}  // namespace steadyiqa::image
