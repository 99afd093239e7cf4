// Normal noise that a seed alone decides, whatever draws random numbers elsewhere.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace steadyiqa::models {

/// sigma * N(0,1) in the shape, type and device of the pixels, by OpenCV's ziggurat: Rng::normal's cosine
/// and logarithm for each pixel of each model call took a third of NES's time.
[[nodiscard]] torch::Tensor noise_like(const torch::Tensor& pixels, double sigma, std::uint64_t seed);

}  // namespace steadyiqa::models
