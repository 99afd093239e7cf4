#include "models/noise.h"

#include "base/seed.h"

#include <torch/torch.h>

namespace steadyiqa::models {

torch::Tensor noise_like(const torch::Tensor& pixels, double sigma, std::uint64_t seed) {
  auto noise = torch::empty(pixels.sizes(), torch::kFloat32);
  auto* values = noise.data_ptr<float>();
  Rng rng(seed);
  for (std::int64_t i = 0; i < noise.numel(); ++i) {
    values[i] = static_cast<float>(sigma * rng.normal());
  }
  return noise.to(pixels.options());
}

}  // namespace steadyiqa::models
