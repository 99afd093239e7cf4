// Pictures for a person to look at: rows of images with captions, and perturbations made visible.
#pragma once

#include "image/image.h"

#include <string>
#include <vector>

namespace steadyiqa::report {

struct Panel {
  image::Image image;
  std::string caption;  ///< above the image, one line
  std::string footer;   ///< below it; may hold line breaks
};

struct PictureRow {
  std::string label;
  std::vector<Panel> panels;
};

inline constexpr int kPanelSide = 320;  ///< pixels, at most, of a panel's either side

/// Rows of panels on white. A panel keeps its pixels: a small image is enlarged by a whole factor, one larger than
/// kPanelSide is reduced by leaving out pixels (averaging would hide a perturbation). Texts are ASCII, other characters
/// become '?'. Throws Error(kUsage) when a panel has no image, there is no panel, or the picture would be too large.
[[nodiscard]] image::Image compose_picture(const std::string& title, const std::vector<PictureRow>& rows,
                                           const std::string& note);

/// 128 + factor x (attacked - clean). The factor is the largest power of two with which the largest difference still
/// fits into 8 bits, 1 at least (beyond which values are clipped), and 1 when there is no difference.
/// Throws Error(kInput) when the sizes differ.
[[nodiscard]] image::Image amplify_perturbation(const image::Image& clean, const image::Image& attacked, int& factor);

}  // namespace steadyiqa::report
