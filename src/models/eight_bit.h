// Between tensors of [0,1] pixels and the 8-bit images that libraries work on.
#pragma once

#include "image/image.h"

#include <torch/types.h>

namespace steadyiqa::models {

/// One [1,3,H,W] image, clamped to [0,1] and rounded to the nearest level.
[[nodiscard]] image::Image rounded_image(const torch::Tensor& pixels);
/// level / 255 in float32, as data::to_tensor, then in the dtype and on the device of `like`: [1,3,H,W].
[[nodiscard]] torch::Tensor pixels_of(const image::Image& image, const torch::Tensor& like);

}  // namespace steadyiqa::models
