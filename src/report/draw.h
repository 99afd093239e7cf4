// What the pictures draw with: an image as a matrix that OpenCV draws on, and text that fits its place.
#pragma once

#include "image/image.h"

#include <opencv2/core.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa::report {

/// A font's size and weight; the face is OpenCV's Hershey, which holds ASCII only.
struct TextStyle {
  double scale = 0.5;
  bool bold = false;
  cv::Scalar colour{32, 32, 32};
};

inline const cv::Scalar kWhite{255, 255, 255};

/// An image of one colour. Throws Error(kUsage) when it would be larger than pictures may be.
[[nodiscard]] image::Image blank_image(std::int64_t width, std::int64_t height);
/// The image's own pixels (RGB order, as every colour here): drawing on it draws on the image.
[[nodiscard]] cv::Mat matrix_of(image::Image& image);

/// The text with '?' for every character that the font lacks.
[[nodiscard]] std::string ascii(std::string_view text);
[[nodiscard]] int text_pixels(const std::string& text, const TextStyle& style);
/// Draws from `origin` (left end of the baseline), smaller or cut ("...") so that it stays within `width` pixels.
void draw_text(cv::Mat& canvas, std::string_view text, cv::Point origin, int width, const TextStyle& style);
/// The text as lines that fit the width; a line break in it is one here, too.
[[nodiscard]] std::vector<std::string> text_lines(std::string_view text, int width, const TextStyle& style);

}  // namespace steadyiqa::report
