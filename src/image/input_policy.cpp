#include "image/input_policy.h"

#include <algorithm>

namespace steadyiqa::image {

const FieldTable<InputPolicy>& input_policy_fields() {
  static const FieldTable<InputPolicy> kFields = {
      field("resize", &InputPolicy::resize,
            {.help = "before cropping: none, HEIGHTxWIDTH, short:SIDE; several, separated by commas, in turn"}),
      field("resize-filter", &InputPolicy::filter, {"pillow-bilinear", "opencv-cubic"},
            {.help = "whose resize: Pillow's antialiased bilinear or OpenCV's INTER_CUBIC, 8-bit exact"}),
      field("small-images", &InputPolicy::small_images, {"to-crop", "past-crop"},
            {.help = "an image too small for the crop is enlarged to the crop, or to the crop + 1 (pyiqa)"}),
      field("orientation", &InputPolicy::orientation, {"applied", "ignored"},
            {.help = "EXIF orientation: applied (what a person sees) or ignored (PIL's convert)"}),
  };
  return kFields;
}

ResizeRule resize_rule(const InputPolicy& policy) { return {parse_resize(policy.resize), policy.filter}; }

std::optional<Enlargement> enlargement(Size from, std::int64_t crop, SmallImages rule) {
  const std::int64_t short_side = std::min(from.height, from.width);
  if (rule == SmallImages::kPastCrop && short_side <= crop) {
    const double factor = static_cast<double>(crop + 1) / static_cast<double>(short_side);
    const auto grown = [factor](int side) { return static_cast<std::int64_t>(static_cast<double>(side) * factor); };
    return Enlargement{checked_size(from, grown(from.width), grown(from.height)), factor};
  }
  if (rule == SmallImages::kToCrop && short_side < crop) {
    const auto grown = [&](std::int64_t side) { return (2 * side * crop + short_side) / (2 * short_side); };  // rounded
    return Enlargement{checked_size(from, grown(from.width), grown(from.height)), {}};
  }
  return std::nullopt;
}

}  // namespace steadyiqa::image
