#include "models/resize.h"

#include "base/error.h"
#include "models/eight_bit.h"

#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

/// One axis of x by the filter's taps. As a sparse matrix: a dense one of a large image would fill the memory.
torch::Tensor resize_axis(const torch::Tensor& x, std::int64_t axis, std::int64_t out, image::Filter filter) {
  const auto in = x.size(axis);
  if (in == out) {
    return x;
  }
  const auto taps = image::resize_taps(filter, static_cast<int>(in), static_cast<int>(out));
  const auto count = static_cast<std::int64_t>(taps.size());
  auto places = torch::empty({2, count}, torch::kInt64);
  auto weights = torch::empty({count}, torch::kFloat64);
  auto* place = places.data_ptr<std::int64_t>();
  auto* weight = weights.data_ptr<double>();
  for (const auto& tap : taps) {
    place[count] = tap.input;
    *place++ = tap.output;
    *weight++ = tap.weight;
  }
  const auto matrix =
      torch::sparse_coo_tensor(places, weights.to(x.scalar_type()), {out, in}).to(x.device()).coalesce();
  const auto front = x.movedim(axis, 0);
  auto shape = front.sizes().vec();
  shape[0] = out;
  return torch::_sparse_mm(matrix, front.reshape({in, -1})).view(shape).movedim(0, axis);
}

}  // namespace

torch::Tensor resize_linear(const torch::Tensor& pixels, std::int64_t height, std::int64_t width,
                            image::Filter filter) {
  return resize_axis(resize_axis(pixels, 3, width, filter), 2, height, filter).contiguous();
}

torch::Tensor resize_straight_through(const torch::Tensor& pixels, std::int64_t height, std::int64_t width,
                                      image::Filter filter) {
  STEADYIQA_ASSERT(pixels.dim() == 4 && pixels.size(0) == 1 && pixels.size(1) == 3, "resize takes one [1,3,H,W] image");
  if (height == pixels.size(2) && width == pixels.size(3)) {
    return pixels;
  }
  torch::Tensor exact;
  torch::Tensor rounded;
  {
    const torch::NoGradGuard no_grad;
    const auto image = rounded_image(pixels);
    rounded = pixels_of(image, pixels);
    exact = pixels_of(image::resize(image, static_cast<int>(width), static_cast<int>(height), filter), pixels);
  }
  const auto below_a_level = pixels - rounded;
  const bool needs_gradient = torch::GradMode::is_enabled() && pixels.requires_grad();
  if (!needs_gradient && below_a_level.count_nonzero().item<std::int64_t>() == 0) {
    return exact;  // of a large photo, L costs more than E
  }
  return exact + resize_linear(below_a_level, height, width, filter);
}

}  // namespace steadyiqa::models
