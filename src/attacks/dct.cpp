#include "attacks/dct.h"

#include <torch/torch.h>

#include <cmath>
#include <numbers>

namespace steadyiqa::attacks {

torch::Tensor dct_matrix(std::int64_t length) {
  const auto n = static_cast<double>(length);
  const auto frequency = torch::arange(length, torch::kFloat64).view({-1, 1});
  const auto sample = torch::arange(length, torch::kFloat64).view({1, -1});
  auto waves = ((sample + 0.5) * frequency * (std::numbers::pi / n)).cos() * std::sqrt(2.0 / n);
  waves[0] /= std::sqrt(2.0);
  return waves.to(torch::kFloat32);
}

}  // namespace steadyiqa::attacks
