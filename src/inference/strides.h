// Row-major tensors walked with strides of their own, row by row.
#pragma once

#include "inference/onnx_file.h"

#include <array>
#include <cstddef>
#include <vector>

namespace steadyiqa::inference {

/// Row-major strides, in elements.
inline Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * shape[i];
  }
  return strides;
}

/// Those of a tensor that is broadcast to `shape`: 0 where it is repeated.
inline Shape broadcast_strides(const Shape& from, const Shape& shape) {
  const auto own = strides_of(from);
  Shape strides(shape.size(), 0);
  const auto added = shape.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i) {
    strides[added + i] = from[i] == 1 ? 0 : own[i];
  }
  return strides;
}

/// Calls `row(offsets)` with the places of each row's first element (a row: the last dimension), in row-major order,
/// one place for each of the strides.
template <std::size_t N, class Row>
void for_each_row(const Shape& shape, const std::array<Shape, N>& strides, const Row& row) {
  if (count(shape) == 0) {
    return;
  }
  std::array<std::int64_t, N> offsets{};
  if (shape.empty()) {
    row(offsets);
    return;
  }
  const auto outer = shape.size() - 1;
  Shape index(outer, 0);
  while (true) {
    row(offsets);
    std::size_t d = outer;
    for (; d-- > 0;) {
      ++index[d];
      for (std::size_t n = 0; n < N; ++n) {
        offsets[n] += strides[n][d];
      }
      if (index[d] < shape[d]) {
        break;
      }
      for (std::size_t n = 0; n < N; ++n) {
        offsets[n] -= strides[n][d] * shape[d];
      }
      index[d] = 0;
    }
    if (d > outer) {  // wrapped below 0: every row was seen
      return;
    }
  }
}

}  // namespace steadyiqa::inference
