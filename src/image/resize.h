// Resizing as published code did it, bit for bit, and as the linear map that its gradient goes through.
#pragma once

#include "image/image.h"

#include <string>
#include <vector>

namespace steadyiqa::image {

enum class Filter {
  kPillowBilinear,  ///< Pillow's Image.resize(..., BILINEAR): antialiased triangle, horizontal pass first (torchvision)
  kOpencvCubic      ///< cv::resize(..., INTER_CUBIC): a = -0.75, not antialiased, edges repeated
};

/// The 8-bit result of the named library. Sizes are at least 1.
[[nodiscard]] Image resize(const Image& image, int width, int height, Filter filter);

/// One weight of one axis of a resize: output[o] = sum of weight * input[i] before any rounding or clipping.
struct Tap {
  int output = 0;
  int input = 0;
  double weight = 0;
};
/// The taps of one axis, by output and then by input (edges repeated: an input may occur twice). Of each output the
/// weights sum to 1; those of the cubic filter may be negative.
[[nodiscard]] std::vector<Tap> resize_taps(Filter filter, int in, int out);

struct Size {
  int width = 0;
  int height = 0;
};

/// A step of a resize rule: to height x width, or (short_side > 0) both sides by one factor.
struct ResizeStep {
  int height = 0;
  int width = 0;
  int short_side = 0;
};

/// What is done to an image before it is cropped: the steps one after the other.
struct ResizeRule {
  std::vector<ResizeStep> steps{};
  Filter filter = Filter::kPillowBilinear;
};

/// "none", "512x384" (height x width, as the papers' code writes it), "short:384", or several to be taken one after the
/// other, "500x500,498x664". Throws Error(kUsage).
[[nodiscard]] std::vector<ResizeStep> parse_resize(const std::string& text);

/// The new size, or Error(kInput) when it is beyond DecodeLimits: enlarging a thin strip would fill the memory.
[[nodiscard]] Size checked_size(Size from, std::int64_t width, std::int64_t height);
/// The size after a step; a long side is rounded down as torchvision does. Throws as checked_size.
[[nodiscard]] Size size_after(const ResizeStep& step, Size size);
/// The image after all steps of a rule. Throws as checked_size.
[[nodiscard]] Image resize(Image image, const ResizeRule& rule);

}  // namespace steadyiqa::image
