// Bilinear interpolation of a float plane, as libtorch's upsample_bilinear2d.
#pragma once

#include <cstdint>
#include <vector>

namespace steadyiqa::inference {

/// One axis: between which two inputs each output lies, and how near the second.
struct LinearAxis {
  std::int64_t inputs = 0;
  std::vector<std::int64_t> low{}, high{};
  std::vector<float> share{};  ///< of high, in [0, 1)
};

/// Half-pixel centres, `step` inputs from one output to the next; both sides at least 1.
[[nodiscard]] LinearAxis half_pixel_axis(std::int64_t inputs, std::int64_t outputs, double step);
/// First on first, last on last.
[[nodiscard]] LinearAxis aligned_axis(std::int64_t inputs, std::int64_t outputs);

/// One plane, row after row.
void interpolate(const float* plane, const LinearAxis& rows, const LinearAxis& columns, float* result);

}  // namespace steadyiqa::inference
