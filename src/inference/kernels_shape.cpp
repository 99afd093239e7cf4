#include "inference/kernels.h"
#include "inference/strides.h"

#include "base/error.h"
#include "inference/bilinear.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace steadyiqa::inference {
namespace {

using Operands = std::vector<Operand>;

/// Every element of the result from its place in the input.
Kernel strided_copy(const Shape& shape, const Shape& strides, std::int64_t first = 0) {
  const auto row_size = shape.empty() ? 1 : shape.back();
  const auto step = strides.empty() ? 1 : strides.back();
  return [=](std::span<const float* const> inputs, float* output) {
    const float* from = inputs[0] + first;
    for_each_row<1>(shape, {strides}, [&](const auto& offsets) {
      const float* row = from + offsets[0];
      if (step == 1) {
        std::copy_n(row, row_size, output);
      } else {
        for (std::int64_t i = 0; i < row_size; ++i) {
          output[i] = row[i * step];
        }
      }
      output += row_size;
    });
  };
}

}  // namespace

PlannedKernel plan_identity(const Node& node, const Operands& inputs) {
  const auto& shape = argument(node, inputs, 0).shape;
  return {shape, [elements = count(shape)](std::span<const float* const> in, float* out) {
            std::copy_n(in[0], elements, out);
          }};
}

Shape reshaped(const Node& node, const Shape& from, Shape shape) {
  std::int64_t known = 1;
  std::int64_t* free = nullptr;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && node.integer("allowzero", 0) == 0) {
      require(node, i < from.size(), "a size of 0 has no dimension to copy");
      shape[i] = from[i];
    }
    require(node, shape[i] >= -1 && (shape[i] != -1 || free == nullptr), "its shape");
    if (shape[i] == -1) {
      free = &shape[i];
    } else {
      known = count({known, shape[i]});
    }
  }
  const auto elements = count(from);
  if (free != nullptr) {
    require(node, known > 0 && elements % known == 0, "its shape does not hold as many elements");
    *free = elements / known;
  }
  require(node, count(shape) == elements, "its shape does not hold as many elements");
  return shape;
}

PlannedKernel plan_reshape(const Node& node, const Operands& inputs) {
  auto planned = plan_identity(node, inputs);
  planned.shape = reshaped(node, planned.shape, constant_integers(node, inputs, 1));
  return planned;
}

PlannedKernel plan_transpose(const Node& node, const Operands& inputs) {
  const auto& x = argument(node, inputs, 0);
  const auto order = node.integers("perm", {});
  require(node, order.size() == x.shape.size(), "perm is not of its rank");
  const auto own = strides_of(x.shape);
  Shape shape;
  Shape strides;
  std::vector<bool> seen(order.size(), false);
  for (const auto number : order) {
    const auto d = dimension(node, number, order.size());
    require(node, !seen[d], "perm names a dimension twice");
    seen[d] = true;
    shape.push_back(x.shape[d]);
    strides.push_back(own[d]);
  }
  return {shape, strided_copy(shape, strides)};
}

PlannedKernel plan_expand(const Node& node, const Operands& inputs) {
  const auto& x = argument(node, inputs, 0);
  const auto shape = broadcast_shape(node, x.shape, constant_integers(node, inputs, 1));
  return {shape, strided_copy(shape, broadcast_strides(x.shape, shape))};
}

PlannedKernel plan_slice(const Node& node, const Operands& inputs) {
  const auto& x = argument(node, inputs, 0);
  constexpr std::size_t kArguments = 5;  // data, starts, ends, axes, steps
  require(node, inputs.size() == kArguments, "axes and steps are wanted");
  const auto& starts = constant_integers(node, inputs, 1);
  const auto& ends = constant_integers(node, inputs, 2);
  const auto& axes = constant_integers(node, inputs, 3);
  const auto& steps = constant_integers(node, inputs, 4);
  require(node, starts.size() == axes.size() && ends.size() == axes.size() && steps.size() == axes.size(),
          "its starts, ends, axes and steps are not as many");
  auto shape = x.shape;
  auto strides = strides_of(x.shape);
  std::int64_t first = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto d = dimension(node, axes[i], shape.size());
    const auto size = shape[d];
    const auto bounded = [size](std::int64_t place) {
      return std::clamp<std::int64_t>(place < 0 ? std::max<std::int64_t>(place, -size) + size : place, 0, size);
    };
    require(node, steps[i] > 0, "it steps backwards");
    const auto start = bounded(starts[i]);
    const auto length = std::max<std::int64_t>(bounded(ends[i]) - start, 0);
    const auto step = std::min(steps[i], std::max<std::int64_t>(size, 1));
    first += start * strides[d];
    shape[d] = (length + step - 1) / step;
    strides[d] *= step;
  }
  return {shape, strided_copy(shape, strides, first)};
}

PlannedKernel plan_gather(const Node& node, const Operands& inputs) {
  const auto& x = argument(node, inputs, 0);
  auto indices = constant_integers(node, inputs, 1);
  const auto axis = dimension(node, node.integer("axis", 0), x.shape.size());
  const auto size = x.shape[axis];
  for (auto& index : indices) {
    require(node, index >= -size && index < size, "an index outside of the tensor");
    index += index < 0 ? size : 0;
  }
  const auto place = x.shape.begin() + static_cast<std::ptrdiff_t>(axis);
  const auto& index_shape = inputs[1].shape;
  Shape shape(x.shape.begin(), place);
  shape.insert(shape.end(), index_shape.begin(), index_shape.end());
  shape.insert(shape.end(), place + 1, x.shape.end());
  const auto outer = count(Shape(x.shape.begin(), place));
  const auto inner = count(Shape(place + 1, x.shape.end()));
  return {shape, [=](std::span<const float* const> in, float* out) {
            for (std::int64_t o = 0; o < outer; ++o) {
              for (const auto index : indices) {
                out = std::copy_n(in[0] + (o * size + index) * inner, inner, out);
              }
            }
          }};
}

PlannedKernel plan_concat(const Node& node, const Operands& inputs) {
  auto shape = argument(node, inputs, 0).shape;
  const auto axis = dimension(node, node.integer("axis", 0), shape.size());
  std::vector<std::int64_t> runs;  // elements that each input gives in turn
  shape[axis] = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto other = argument(node, inputs, i, static_cast<std::int64_t>(shape.size())).shape;
    runs.push_back(count(Shape(other.begin() + static_cast<std::ptrdiff_t>(axis), other.end())));
    other[axis] += shape[axis];
    std::swap(shape[axis], other[axis]);
    other[axis] = shape[axis];
    require(node, other == shape, "its parts are not of one shape");
  }
  const auto outer = count(Shape(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axis)));
  return {shape, [=](std::span<const float* const> in, float* out) {
            for (std::int64_t o = 0; o < outer; ++o) {
              for (std::size_t i = 0; i < runs.size(); ++i) {
                out = std::copy_n(in[i] + o * runs[i], runs[i], out);
              }
            }
          }};
}

PlannedKernel plan_resize(const Node& node, const Operands& inputs) {
  constexpr std::int64_t kRank = 4;
  constexpr std::size_t kSizes = 3;
  constexpr std::int64_t kLongestSide = 1 << 16;
  const auto& x = argument(node, inputs, 0, kRank);
  const Shape shape = constant_integers(node, inputs, kSizes);
  const auto mode = node.text("coordinate_transformation_mode", "half_pixel");
  require(node, node.text("mode", "nearest") == "linear" && (mode == "half_pixel" || mode == "align_corners"),
          "it is not bilinear, or of other places");
  require(node,
          shape.size() == kRank && shape[0] == x.shape[0] && shape[1] == x.shape[1] && count(shape) > 0 &&
              count(x.shape) > 0 && shape[2] <= kLongestSide && shape[3] <= kLongestSide,
          "its sizes");
  const auto axis = [&](std::size_t d) {
    const double step = static_cast<double>(x.shape[d]) / static_cast<double>(shape[d]);
    return mode == "align_corners" ? aligned_axis(x.shape[d], shape[d]) : half_pixel_axis(x.shape[d], shape[d], step);
  };
  return {shape, [rows = axis(2), columns = axis(3), from = x.shape, to = shape](std::span<const float* const> in,
                                                                                 float* out) {
            for (std::int64_t plane = 0; plane < from[0] * from[1]; ++plane) {
              interpolate(in[0] + plane * from[2] * from[3], rows, columns, out + plane * to[2] * to[3]);
            }
          }};
}

}  // namespace steadyiqa::inference
