// Integer-hash weights and inputs (models.md section 7): a network's parity can be checked with no download.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>

namespace steadyiqa::models {

/// hash(j, s) / 2^32 in [0, 1): the xorshift-multiply hash of section 7.
[[nodiscard]] double hash_unit(std::uint32_t j, std::uint32_t s);

/// Fills every floating-point tensor of the state_dict: names sorted bytewise, tensor i takes s = i + 1, j = flat
/// index.
void fill_hash_weights(torch::nn::Module& module);

/// [batch,3,height,width], value 4r - 2 row-major with s = seed: an already normalised input.
[[nodiscard]] torch::Tensor hash_input(std::uint32_t seed, std::int64_t batch, std::int64_t height, std::int64_t width);

}  // namespace steadyiqa::models
