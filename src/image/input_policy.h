// What is done to a decoded image before it is cropped.
#pragma once

#include "base/options.h"
#include "image/resize.h"

#include <cstdint>
#include <optional>
#include <string>

namespace steadyiqa::image {

/// What happens to an image with a side too short for the crop: it is enlarged (bilinear, both sides by one factor) ...
enum class SmallImages {
  kToCrop,   ///< ... when its short side is below the crop, to the crop
  kPastCrop  ///< ... when it is not above the crop, to the crop + 1: pyiqa's rule
};

/// How an image file becomes the pixels that are cropped.
struct InputPolicy {
  std::string resize = "none";  ///< parse_resize
  Filter filter = Filter::kPillowBilinear;
  SmallImages small_images = SmallImages::kToCrop;
  Orientation orientation = Orientation::kApplied;
};
[[nodiscard]] const FieldTable<InputPolicy>& input_policy_fields();
/// Throws Error(kUsage) for a resize that cannot be read.
[[nodiscard]] ResizeRule resize_rule(const InputPolicy& policy);

/// Whole images have no crop to be enlarged to; below this the networks' strides leave nothing.
inline constexpr std::int64_t kSmallestWholeSide = 32;

/// Bilinear, half-pixel centres, not rounded to 8 bits.
struct Enlargement {
  Size size;
  std::optional<double> factor;  ///< of both sides; nothing: each side's own, new over old
};
/// Of an image too small for the crop; nothing for one that is large enough. Throws as checked_size.
[[nodiscard]] std::optional<Enlargement> enlargement(Size from, std::int64_t crop, SmallImages rule);

}  // namespace steadyiqa::image
