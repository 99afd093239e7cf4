// The orthonormal cosine basis of images.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace steadyiqa::attacks {

/// DCT-II of `length` samples, orthonormal: [length,length] float32, row k is the wave of frequency k (scipy's
/// dct(norm="ortho") of x is the matrix times x).
[[nodiscard]] torch::Tensor dct_matrix(std::int64_t length);

}  // namespace steadyiqa::attacks
