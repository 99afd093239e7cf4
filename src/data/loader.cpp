#include "data/loader.h"

#include "base/digest.h"
#include "base/error.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace steadyiqa::data {
namespace {

/// Writes interleaved bytes as three float planes. A plain loop: prefetch threads call it, and a torch operator would
/// give each of them an OpenMP pool of its own.
void write_planes(const image::Image& image, float* out) {
  const std::size_t area = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  for (std::size_t i = 0; i < area; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      out[c * area + i] = static_cast<float>(image.pixels[i * 3 + c]) / 255.0F;
    }
  }
}

}  // namespace

torch::Tensor to_tensor(const image::Image& image) {
  torch::Tensor tensor = torch::empty({3, image.height, image.width}, torch::kFloat32);
  write_planes(image, tensor.data_ptr<float>());
  return tensor;
}

image::Image to_image(const torch::Tensor& tensor) {
  const bool is_batch = tensor.dim() == 4 && tensor.size(0) == 1;
  const torch::Tensor planes = (is_batch ? tensor[0] : tensor).detach().to(torch::kCPU, torch::kFloat64).contiguous();
  STEADYIQA_ASSERT(planes.dim() == 3 && planes.size(0) == 3, "to_image: not [3,H,W] or [1,3,H,W]");
  image::Image image(static_cast<int>(planes.size(2)), static_cast<int>(planes.size(1)));
  const auto area = static_cast<std::size_t>(planes.size(1) * planes.size(2));
  const double* values = planes.data_ptr<double>();
  for (std::size_t i = 0; i < area; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const double value = values[c * area + i];
      if (std::isnan(value)) {
        fail(ErrorKind::kNumeric, "a pixel is NaN (channel {}, row {}, column {})", c,
             i / static_cast<std::size_t>(image.width), i % static_cast<std::size_t>(image.width));
      }
      // In double the product of a float and 255 is exact, so that a half is a half; std::round takes it away from
      // zero.
      image.pixels[i * 3 + c] = static_cast<std::uint8_t>(std::round(std::clamp(value, 0.0, 1.0) * 255.0));
    }
  }
  return image;
}

std::string pixel_digest(const torch::Tensor& tensor) {
  constexpr std::size_t kDigits = 16;
  const auto image = to_image(tensor);
  auto text = fmt::format("{}x{}:", image.width, image.height);
  text.append(image.pixels.begin(), image.pixels.end());
  return sha256_hex(std::string_view(text)).substr(0, kDigits);
}

Batch make_batch(ImageCache& cache, const Dataset& dataset, std::span<const CropDraw> draws,
                 const SamplerOptions& options, std::int64_t epoch) {
  const auto n = static_cast<std::int64_t>(draws.size());
  STEADYIQA_ASSERT(n >= 1, "make_batch: no draws");
  Batch batch{{}, torch::empty({n}, torch::kFloat32)};
  float* mos = batch.mos.data_ptr<float>();
  for (std::size_t i = 0; i < draws.size(); ++i) {
    const Sample& sample = dataset.samples.at(static_cast<std::size_t>(draws[i].sample));
    const std::shared_ptr<const image::Image> image = cache.get(draws[i].sample);
    try {
      const image::Image part = draw_crop(*image, options, epoch, draws[i]);
      if (i == 0) {
        batch.pixels = torch::empty({n, 3, part.height, part.width}, torch::kFloat32);
      }
      if (part.height != batch.pixels.size(2) || part.width != batch.pixels.size(3)) {
        fail_input(
            "an image of {}x{} in a batch of whole ones of {}x{}: a resize to one size (input.resize) or a batch "
            "of 1 would take both",
            part.width, part.height, batch.pixels.size(3), batch.pixels.size(2));
      }
      write_planes(part, batch.pixels[static_cast<std::int64_t>(i)].data_ptr<float>());
    } catch (const Error& error) {
      fail(error.kind(), "{}: {}", sample.path.string(), error.what());
    }
    mos[i] = static_cast<float>(sample.mos);
  }
  return batch;
}

}  // namespace steadyiqa::data
