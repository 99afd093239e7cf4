// How much of a change is not seen.
#pragma once

#include "image/image.h"

#include <torch/types.h>

namespace steadyiqa::attacks {

/// Just-noticeable difference of each pixel in grey levels, [H,W], at least 3: luminance adaptation and contrast
/// masking of luma (Liu, Lin, Paul, Deng, Zhang 2010 with the constants of Yang et al. 2024's code). As in that code
/// the texture is luma minus its Canny edges (255) in 8 bits, which wraps round.
[[nodiscard]] torch::Tensor just_noticeable_difference(const image::Image& image);

/// True at the image's Canny edges (thresholds 50 and 150) and the pixels next to them, [H,W].
[[nodiscard]] torch::Tensor near_edges(const image::Image& image);

}  // namespace steadyiqa::attacks
