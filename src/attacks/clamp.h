// Clamping with one gradient, whatever the version of libtorch.
#pragma once

#include <torch/types.h>

namespace steadyiqa::attacks {

/// `x` cut to [low, high]. The gradient passes where nothing was cut, the ends included, as torch::clamp's does in
/// libtorch 1.13: a value at an end can come back. Newer ones stop it there.
[[nodiscard]] torch::Tensor clamp_ends_included(const torch::Tensor& x, double low, double high);

}  // namespace steadyiqa::attacks
