// What a network costs: parameters, and multiply-adds counted while it runs.
#pragma once

#include "models/network.h"

#include <cstdint>

namespace steadyiqa::models {

/// Parameters, those that are never computed included (buffers are none).
[[nodiscard]] std::int64_t parameter_count(const torch::nn::Module& module);

/// Multiply-adds of convolutions and matrix products in one pass over x, counted from the operators that really run
/// (biases, normalisations and activations are not counted, as is the custom). FLOPs are about twice as many.
[[nodiscard]] std::int64_t multiply_adds(Network& network, const torch::Tensor& x);

/// Whether most of its parameters are those of matrix products (nn::Linear) rather than of convolutions.
[[nodiscard]] bool mostly_products(const torch::nn::Module& module);

}  // namespace steadyiqa::models
