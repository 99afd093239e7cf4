// The resizes of src/image on tensors: the library's 8-bit values forward, the linear map backward.
#pragma once

#include "image/resize.h"

#include <torch/types.h>

#include <cstdint>

namespace steadyiqa::models {

/// The filter as a linear map, without rounding or clipping: [N,3,H,W] -> [N,3,height,width], in the pixels' precision.
[[nodiscard]] torch::Tensor resize_linear(const torch::Tensor& pixels, std::int64_t height, std::int64_t width,
                                          image::Filter filter);

/// Straight-through resize of [0,1] pixels, [1,3,H,W] -> [1,3,height,width]: with q(x) the pixels rounded to 8 bits, E
/// the library's 8-bit resize and L resize_linear, the value is E(q(x)) + L(x - q(x)) and the gradient that of L. For
/// 8-bit pixels the second term is exactly 0, so the value is the library's own; a change below one level still shows
/// in the score, and an attack sees the slope and not the staircase. A size that does not change passes through.
[[nodiscard]] torch::Tensor resize_straight_through(const torch::Tensor& pixels, std::int64_t height,
                                                    std::int64_t width, image::Filter filter);

}  // namespace steadyiqa::models
