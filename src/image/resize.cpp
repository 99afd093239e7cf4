// Pillow's antialiased bilinear resize (Resample.c), bit for bit: same expressions in the same order.
#include "image/image.h"

#include <algorithm>
#include <cmath>

namespace steadyiqa::image {
namespace {

constexpr int kPrecisionBits = 22;  // 32 - 8 bits of pixel - 2 of headroom

/// For each output position the first input position, and the fixed-point weights from there on.
struct Taps {
  std::vector<int> first;
  std::vector<int> count;
  std::vector<std::int32_t> weights;  ///< `stride` for each output position
  std::size_t stride = 0;
};

double triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

Taps make_taps(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_scale;
  const double inverse = 1.0 / filter_scale;
  Taps taps;
  taps.stride = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
  taps.weights.assign(taps.stride * static_cast<std::size_t>(out), 0);
  std::vector<double> weights(taps.stride);
  for (int o = 0; o < out; ++o) {
    const double center = (o + 0.5) * scale;
    const int low = std::max(static_cast<int>(std::trunc(center - support + 0.5)), 0);
    const int high = std::min(static_cast<int>(std::trunc(center + support + 0.5)), in);
    const int count = high - low;
    double sum = 0.0;
    for (int i = 0; i < count; ++i) {
      weights[static_cast<std::size_t>(i)] = triangle((i + low - center + 0.5) * inverse);
      sum += weights[static_cast<std::size_t>(i)];
    }
    std::int32_t* target = &taps.weights[static_cast<std::size_t>(o) * taps.stride];
    for (int i = 0; i < count; ++i) {
      const double weight = sum != 0.0 ? weights[static_cast<std::size_t>(i)] / sum : 0.0;
      target[i] = static_cast<std::int32_t>(std::trunc(0.5 + weight * (1 << kPrecisionBits)));
    }
    taps.first.push_back(low);
    taps.count.push_back(count);
  }
  return taps;
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
  const Taps taps = make_taps(image.width, width);
  Image result(width, image.height);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto o = static_cast<std::size_t>(x);
      const std::uint8_t* source = image.at(taps.first[o], y);
      std::uint8_t* target = result.at(x, y);
      for (int c = 0; c < 3; ++c) {
        target[c] = weigh(source + c, 3, &taps.weights[o * taps.stride], taps.count[o]);
      }
    }
  }
  return result;
}

Image resize_height(const Image& image, int height) {
  const Taps taps = make_taps(image.height, height);
  Image result(image.width, height);
  const std::size_t row = static_cast<std::size_t>(image.width) * 3;
  for (int y = 0; y < height; ++y) {
    const auto o = static_cast<std::size_t>(y);
    const std::uint8_t* source = image.at(0, taps.first[o]);
    std::uint8_t* target = result.at(0, y);
    for (std::size_t i = 0; i < row; ++i) {
      target[i] = weigh(source + i, row, &taps.weights[o * taps.stride], taps.count[o]);
    }
  }
  return result;
}

}  // namespace

Image resize_bilinear(const Image& image, int width, int height) {
  STEADYIQA_ASSERT(!image.empty(), "resize of an empty image");
  STEADYIQA_ASSERT(width > 0 && height > 0, "resize to an empty size");
  Image result = width == image.width ? image : resize_width(image, width);
  return height == result.height ? result : resize_height(result, height);
}

}  // namespace steadyiqa::image
