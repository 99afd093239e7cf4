#include "attacks/jnd.h"

#include <torch/torch.h>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace steadyiqa::attacks {
namespace {

/// A view of the image's pixels; it reads only.
cv::Mat view(const image::Image& image) {
  return {image.height, image.width, CV_8UC3, const_cast<std::uint8_t*>(image.pixels.data())};
}

cv::Mat canny(const cv::Mat& pixels) {
  constexpr double kLow = 50;
  constexpr double kHigh = 150;
  cv::Mat edges;
  cv::Canny(pixels, edges, kLow, kHigh);
  return edges;
}

/// Largest minus smallest value in the 5x5 window around each pixel, as far as it lies in the image.
cv::Mat range_5x5(const cv::Mat& values) {
  const auto window = cv::getStructuringElement(cv::MORPH_RECT, {5, 5});
  cv::Mat range;
  cv::morphologyEx(values, range, cv::MORPH_GRADIENT, window);
  return range;
}

/// The difference that is just seen on a plain background of this luma (0-255).
double adaptation(int luma) {
  constexpr int kMiddle = 127;
  return luma <= kMiddle ? 17.0 * (1.0 - std::sqrt(luma / 127.0)) + 3.0 : 3.0 * (luma - kMiddle) / 128.0 + 3.0;
}

}  // namespace

torch::Tensor just_noticeable_difference(const image::Image& image) {
  cv::Mat luma;
  cv::cvtColor(view(image), luma, cv::COLOR_RGB2GRAY);
  const auto edges = canny(luma);
  cv::Mat texture(luma.size(), CV_8U);
  for (int y = 0; y < luma.rows; ++y) {
    for (int x = 0; x < luma.cols; ++x) {
      texture.at<std::uint8_t>(y, x) =
          static_cast<std::uint8_t>(luma.at<std::uint8_t>(y, x) - edges.at<std::uint8_t>(y, x));
    }
  }
  const auto edge_range = range_5x5(edges);
  const auto texture_range = range_5x5(texture);
  constexpr double kEdgeWeight = 0.117;
  constexpr double kTextureWeight = 3 * kEdgeWeight;
  constexpr double kOverlap = 0.3;
  auto result = torch::empty({luma.rows, luma.cols});
  auto values = result.accessor<float, 2>();
  for (int y = 0; y < luma.rows; ++y) {
    for (int x = 0; x < luma.cols; ++x) {
      const double plain = adaptation(luma.at<std::uint8_t>(y, x));
      const double masking =
          kEdgeWeight * edge_range.at<std::uint8_t>(y, x) + kTextureWeight * texture_range.at<std::uint8_t>(y, x);
      values[y][x] = static_cast<float>(plain + masking - kOverlap * std::min(plain, masking));
    }
  }
  return result;
}

torch::Tensor near_edges(const image::Image& image) {
  cv::Mat near;
  cv::dilate(canny(view(image)), near, cv::getStructuringElement(cv::MORPH_RECT, {3, 3}));
  return torch::from_blob(near.data, {near.rows, near.cols}, torch::kUInt8) > 0;
}

}  // namespace steadyiqa::attacks
