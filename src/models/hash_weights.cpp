#include "models/hash_weights.h"

#include "models/network.h"

#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::models {

double hash_unit(std::uint32_t j, std::uint32_t s) {
  std::uint32_t h = j * 2654435761U + s * 40503U + 12345U;
  h ^= h >> 16U;
  h *= 2246822519U;
  h ^= h >> 13U;
  h *= 3266489917U;
  h ^= h >> 16U;
  return static_cast<double>(h) / 4294967296.0;
}

namespace {

/// A tensor's values: (r - centre) scale + offset.
struct HashRange {
  double centre, scale, offset;
};

HashRange hash_range(const std::string& name, const torch::Tensor& tensor) {
  if (name.ends_with("running_var")) {
    return {0, 1, 0.5};
  }
  if (name.ends_with("running_mean")) {
    return {0.5, 0.2, 0};
  }
  if (tensor.dim() > 1) {
    const double fan_in = static_cast<double>(tensor.numel()) / static_cast<double>(tensor.size(0));
    return {0.5, 2.0 * std::sqrt(3.0 / fan_in), 0};
  }
  return name.ends_with("weight") ? HashRange{0, 0.4, 0.8} : HashRange{0.5, 0.2, 0};
}

}  // namespace

void fill_hash_weights(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  std::uint32_t s = 0;
  for (auto& [name, tensor] : state_entries(module)) {
    ++s;
    if (!tensor.is_floating_point() || name.ends_with("attn_mask")) {
      continue;
    }
    auto flat = torch::empty({tensor.numel()}, torch::kFloat32);
    auto* data = flat.data_ptr<float>();
    const auto range = hash_range(name, tensor);
    for (std::int64_t j = 0; j < flat.numel(); ++j) {
      const double r = hash_unit(static_cast<std::uint32_t>(j), s);
      data[j] = static_cast<float>((r - range.centre) * range.scale + range.offset);
    }
    tensor.copy_(flat.view(tensor.sizes()));
  }
}

torch::Tensor hash_input(std::uint32_t seed, std::int64_t batch, std::int64_t height, std::int64_t width) {
  auto input = torch::empty({batch, 3, height, width}, torch::kFloat32);
  auto* data = input.data_ptr<float>();
  for (std::int64_t j = 0; j < input.numel(); ++j) {
    data[j] = static_cast<float>(4.0 * hash_unit(static_cast<std::uint32_t>(j), seed) - 2.0);
  }
  return input;
}

}  // namespace steadyiqa::models
