#include "inference/bilinear.h"

#include <algorithm>

namespace steadyiqa::inference {
namespace {

void add_place(LinearAxis& axis, double place) {
  const double within = std::clamp(place, 0.0, static_cast<double>(axis.inputs - 1));
  const auto low = static_cast<std::int64_t>(within);
  axis.low.push_back(low);
  axis.high.push_back(std::min(low + 1, axis.inputs - 1));
  axis.share.push_back(static_cast<float>(within - static_cast<double>(low)));
}

}  // namespace

LinearAxis half_pixel_axis(std::int64_t inputs, std::int64_t outputs, double step) {
  LinearAxis axis{inputs};
  for (std::int64_t o = 0; o < outputs; ++o) {
    add_place(axis, (static_cast<double>(o) + 0.5) * step - 0.5);
  }
  return axis;
}

LinearAxis aligned_axis(std::int64_t inputs, std::int64_t outputs) {
  LinearAxis axis{inputs};
  const double step = outputs == 1 ? 0 : static_cast<double>(inputs - 1) / static_cast<double>(outputs - 1);
  for (std::int64_t o = 0; o < outputs; ++o) {
    add_place(axis, static_cast<double>(o) * step);
  }
  return axis;
}

void interpolate(const float* plane, const LinearAxis& rows, const LinearAxis& columns, float* result) {
  for (std::size_t r = 0; r < rows.low.size(); ++r) {
    const float* low = plane + rows.low[r] * columns.inputs;
    const float* high = plane + rows.high[r] * columns.inputs;
    const auto between = [&](std::int64_t c) { return low[c] + rows.share[r] * (high[c] - low[c]); };
    for (std::size_t c = 0; c < columns.low.size(); ++c) {
      const float left = between(columns.low[c]);
      *result++ = left + columns.share[c] * (between(columns.high[c]) - left);
    }
  }
}

}  // namespace steadyiqa::inference
