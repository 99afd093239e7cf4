#include "models/eight_bit.h"

#include "base/error.h"

#include <torch/torch.h>

#include <algorithm>

namespace steadyiqa::models {

image::Image rounded_image(const torch::Tensor& pixels) {
  STEADYIQA_ASSERT(pixels.dim() == 4 && pixels.size(0) == 1 && pixels.size(1) == 3, "an image is [1,3,H,W]");
  const auto levels = torch::round(pixels[0].detach().to(torch::kFloat64).clamp(0, 1) * 255.0);
  const auto bytes = levels.permute({1, 2, 0}).to(torch::kCPU, torch::kUInt8).contiguous();
  image::Image image(static_cast<int>(pixels.size(3)), static_cast<int>(pixels.size(2)));
  std::copy_n(bytes.data_ptr<std::uint8_t>(), image.pixels.size(), image.pixels.data());
  return image;
}

torch::Tensor pixels_of(const image::Image& image, const torch::Tensor& like) {
  auto* data = const_cast<std::uint8_t*>(image.pixels.data());  // from_blob only reads, but has no constant form
  const auto bytes = torch::from_blob(data, {image.height, image.width, 3}, torch::kUInt8);
  const auto pixels = (bytes.permute({2, 0, 1}).to(torch::kFloat32) / 255.0F).contiguous();
  return pixels.unsqueeze(0).to(like.options());
}

}  // namespace steadyiqa::models
