#include "models/noise.h"

#include <torch/torch.h>
#include <opencv2/core.hpp>

namespace steadyiqa::models {

torch::Tensor noise_like(const torch::Tensor& pixels, double sigma, std::uint64_t seed) {
  auto noise = torch::empty(pixels.sizes(), torch::kFloat32);
  const auto width = pixels.size(-1);
  cv::Mat values(static_cast<int>(noise.numel() / width), static_cast<int>(width), CV_32F, noise.data_ptr<float>());
  cv::RNG(seed).fill(values, cv::RNG::NORMAL, 0.0, sigma);
  return noise.to(pixels.options());
}

}  // namespace steadyiqa::models
