#include "inference/kernels.h"

#include "base/error.h"
#include "inference/strides.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace steadyiqa::inference {
namespace {

using Operands = std::vector<Operand>;

// Elementwise

template <class Function>
PlannedKernel unary(const Node& node, const Operands& inputs, Function function) {
  const auto& x = argument(node, inputs, 0);
  const auto elements = count(x.shape);
  return {x.shape, [=](std::span<const float* const> in, float* out) {
            std::transform(in[0], in[0] + elements, out, function);
          }};
}

PlannedKernel plan_relu(const Node& node, const Operands& inputs) {
  return unary(node, inputs, [](float x) { return std::max(x, 0.0F); });
}
PlannedKernel plan_sigmoid(const Node& node, const Operands& inputs) {
  return unary(node, inputs, [](float x) { return 1 / (1 + std::exp(-x)); });
}
PlannedKernel plan_sqrt(const Node& node, const Operands& inputs) {
  return unary(node, inputs, [](float x) { return std::sqrt(x); });
}
PlannedKernel plan_erf(const Node& node, const Operands& inputs) {
  return unary(node, inputs, [](float x) { return std::erf(x); });
}

PlannedKernel plan_clip(const Node& node, const Operands& inputs) {
  const auto bound = [&](std::size_t place, float otherwise) {
    if (place >= inputs.size() || !inputs[place].given) {
      return otherwise;
    }
    const auto* constant = inputs[place].constant;
    require(node, constant != nullptr && constant->values.size() == 1, "its bounds are not numbers");
    return constant->values[0];
  };
  const float low = bound(1, -std::numeric_limits<float>::infinity());
  const float high = bound(2, std::numeric_limits<float>::infinity());
  return unary(node, inputs, [low, high](float x) { return std::min(std::max(x, low), high); });
}

template <class Function>
PlannedKernel binary(const Node& node, const Operands& inputs, Function function) {
  const auto& a = argument(node, inputs, 0);
  const auto& b = argument(node, inputs, 1);
  const auto shape = broadcast_shape(node, a.shape, b.shape);
  const auto row = shape.empty() ? 1 : shape.back();
  const std::array<Shape, 2> strides = {broadcast_strides(a.shape, shape), broadcast_strides(b.shape, shape)};
  const auto step_a = shape.empty() ? 0 : strides[0].back();
  const auto step_b = shape.empty() ? 0 : strides[1].back();
  return {shape, [=](std::span<const float* const> in, float* out) {
            for_each_row<2>(shape, strides, [&](const auto& offsets) {
              const float* x = in[0] + offsets[0];
              const float* y = in[1] + offsets[1];
              for (std::int64_t i = 0; i < row; ++i) {
                out[i] = function(x[i * step_a], y[i * step_b]);
              }
              out += row;
            });
          }};
}

PlannedKernel plan_add(const Node& node, const Operands& inputs) { return binary(node, inputs, std::plus<float>()); }
PlannedKernel plan_sub(const Node& node, const Operands& inputs) { return binary(node, inputs, std::minus<float>()); }
PlannedKernel plan_mul(const Node& node, const Operands& inputs) {
  return binary(node, inputs, std::multiplies<float>());
}
PlannedKernel plan_div(const Node& node, const Operands& inputs) { return binary(node, inputs, std::divides<float>()); }

// Reductions and normalisation

/// A tensor seen as [outer, size, inner] about one dimension.
struct Split {
  std::int64_t outer = 1;
  std::int64_t size = 1;
  std::int64_t inner = 1;
};

Split split_at(const Shape& shape, std::size_t axis) {
  const auto place = shape.begin() + static_cast<std::ptrdiff_t>(axis);
  return {count(Shape(shape.begin(), place)), *place, count(Shape(place + 1, shape.end()))};
}

PlannedKernel plan_softmax(const Node& node, const Operands& inputs) {
  const auto& x = argument(node, inputs, 0);
  const auto split = split_at(x.shape, dimension(node, node.integer("axis", -1), x.shape.size()));
  return {x.shape, [split](std::span<const float* const> in, float* out) {
            for (std::int64_t row = 0; row < split.outer * split.inner; ++row) {
              const auto first = row / split.inner * split.size * split.inner + row % split.inner;
              const auto place = [&](std::int64_t i) { return first + i * split.inner; };
              float largest = -std::numeric_limits<float>::infinity();
              for (std::int64_t i = 0; i < split.size; ++i) {
                largest = std::max(largest, in[0][place(i)]);
              }
              double sum = 0;
              for (std::int64_t i = 0; i < split.size; ++i) {
                out[place(i)] = std::exp(in[0][place(i)] - largest);
                sum += out[place(i)];
              }
              for (std::int64_t i = 0; i < split.size; ++i) {
                out[place(i)] = static_cast<float>(out[place(i)] / sum);
              }
            }
          }};
}

/// `axes` of an attribute, or of the second input (ReduceSum); none = all.
std::vector<bool> reduced_dimensions(const Node& node, const Operands& inputs, std::size_t rank) {
  const auto axes =
      inputs.size() > 1 && inputs[1].given ? constant_integers(node, inputs, 1) : node.integers("axes", {});
  std::vector<bool> reduced(rank, axes.empty());
  for (const auto axis : axes) {
    reduced[dimension(node, axis, rank)] = true;
  }
  return reduced;
}

/// Sums in double of every element, or of its square, over the dimensions; then `finish(sum, number of elements)`.
template <class Finish>
PlannedKernel reduction(const Node& node, const Operands& inputs, bool squares, Finish finish) {
  const auto& x = argument(node, inputs, 0);
  const auto reduced = reduced_dimensions(node, inputs, x.shape.size());
  const bool keep = node.integer("keepdims", 1) != 0;
  Shape kept = x.shape;  // with sizes of 1
  Shape shape;
  for (std::size_t d = 0; d < reduced.size(); ++d) {
    kept[d] = reduced[d] ? 1 : kept[d];
    if (keep || !reduced[d]) {
      shape.push_back(kept[d]);
    }
  }
  const auto results = count(kept);
  const auto elements = results == 0 ? 0 : count(x.shape) / results;
  const auto strides = broadcast_strides(kept, x.shape);
  const auto row = x.shape.empty() ? 1 : x.shape.back();
  const auto step = strides.empty() ? 0 : strides.back();
  return {shape, [=, from = x.shape](std::span<const float* const> in, float* out) {
            std::vector<double> sums(static_cast<std::size_t>(results), 0);
            const float* value = in[0];
            for_each_row<1>(from, {strides}, [&](const auto& offsets) {
              double* sum = sums.data() + offsets[0];
              for (std::int64_t i = 0; i < row; ++i, ++value) {
                const double term = *value;
                sum[i * step] += squares ? term * term : term;
              }
            });
            for (std::int64_t i = 0; i < results; ++i) {
              out[i] = static_cast<float>(finish(sums[static_cast<std::size_t>(i)], elements));
            }
          }};
}

PlannedKernel plan_mean(const Node& node, const Operands& inputs) {
  return reduction(node, inputs, false,
                   [](double sum, std::int64_t elements) { return sum / static_cast<double>(elements); });
}
PlannedKernel plan_sum(const Node& node, const Operands& inputs) {
  return reduction(node, inputs, false, [](double sum, std::int64_t) { return sum; });
}
PlannedKernel plan_norm(const Node& node, const Operands& inputs) {
  return reduction(node, inputs, true, [](double sum, std::int64_t) { return std::sqrt(sum); });
}

PlannedKernel plan_layer_norm(const Node& node, const Operands& inputs) {
  const auto& x = argument(node, inputs, 0);
  const auto axis = dimension(node, node.integer("axis", -1), x.shape.size());
  const Shape inner(x.shape.begin() + static_cast<std::ptrdiff_t>(axis), x.shape.end());
  require(node, argument(node, inputs, 1).shape == inner && argument(node, inputs, 2).shape == inner,
          "its scale or bias is not of the normalised shape");
  const auto size = count(inner);
  const auto rows = size == 0 ? 0 : count(x.shape) / size;
  const double epsilon = node.real("epsilon", 1e-5);
  return {x.shape, [=](std::span<const float* const> in, float* out) {
            for (std::int64_t r = 0; r < rows; ++r) {
              const float* row = in[0] + r * size;
              const double mean = std::accumulate(row, row + size, 0.0) / static_cast<double>(size);
              const double squares = std::accumulate(row, row + size, 0.0, [mean](double sum, float value) {
                return sum + (value - mean) * (value - mean);
              });
              const double scale = 1 / std::sqrt(squares / static_cast<double>(size) + epsilon);
              for (std::int64_t i = 0; i < size; ++i) {
                out[r * size + i] = static_cast<float>((row[i] - mean) * scale) * in[1][i] + in[2][i];
              }
            }
          }};
}

PlannedKernel plan_batch_norm(const Node& node, const Operands& inputs) {
  const auto& x = argument(node, inputs, 0);
  require(node, x.shape.size() >= 2, "its input has no channels");
  constexpr std::size_t kArguments = 5;  // x, scale, bias, mean, variance
  for (std::size_t i = 1; i < kArguments; ++i) {
    require(node, argument(node, inputs, i).shape == Shape{x.shape[1]}, "its parameters are not one a channel");
  }
  const auto split = split_at(x.shape, 1);
  const double epsilon = node.real("epsilon", 1e-5);
  return {x.shape, [=](std::span<const float* const> in, float* out) {
            for (std::int64_t row = 0; row < split.outer * split.size; ++row) {
              const auto c = row % split.size;
              const double scale = in[1][c] / std::sqrt(in[4][c] + epsilon);
              const double shift = in[2][c] - in[3][c] * scale;
              const float* from = in[0] + row * split.inner;
              std::transform(from, from + split.inner, out + row * split.inner,
                             [=](float value) { return static_cast<float>(value * scale + shift); });
            }
          }};
}

struct Row {
  const char* op;
  PlannedKernel (*plan)(const Node&, const Operands&);
};

constexpr auto kTable = std::to_array<Row>({
    {"Relu", plan_relu},
    {"Sigmoid", plan_sigmoid},
    {"Sqrt", plan_sqrt},
    {"Erf", plan_erf},
    {"Clip", plan_clip},
    {"Add", plan_add},
    {"Sub", plan_sub},
    {"Mul", plan_mul},
    {"Div", plan_div},
    {"Softmax", plan_softmax},
    {"ReduceMean", plan_mean},
    {"ReduceSum", plan_sum},
    {"ReduceL2", plan_norm},
    {"LayerNormalization", plan_layer_norm},
    {"BatchNormalization", plan_batch_norm},
    {"Identity", plan_identity},
    {"Reshape", plan_reshape},
    {"Transpose", plan_transpose},
    {"Expand", plan_expand},
    {"Slice", plan_slice},
    {"Gather", plan_gather},
    {"Concat", plan_concat},
    {"Resize", plan_resize},
});

}  // namespace

void refuse(const Node& node, const std::string& reason) {
  fail_input("cannot run {} '{}': {}", node.op, node.output, reason);
}

void require(const Node& node, bool supported, const std::string& reason) {
  if (!supported) {
    refuse(node, reason);
  }
}

const Operand& argument(const Node& node, const Operands& inputs, std::size_t place, std::int64_t rank) {
  const bool there = place < inputs.size() && inputs[place].given;
  require(node, there, fmt::format("input {} is missing", place));
  const auto& operand = inputs[place];
  require(node, operand.constant == nullptr || !operand.constant->is_integer, "it is of integers");
  require(node, rank < 0 || static_cast<std::int64_t>(operand.shape.size()) == rank,
          fmt::format("input {} has {} dimensions, not {}", place, operand.shape.size(), rank));
  return operand;
}

const std::vector<std::int64_t>& constant_integers(const Node& node, const Operands& inputs, std::size_t place) {
  const bool there = place < inputs.size() && inputs[place].constant != nullptr && inputs[place].constant->is_integer;
  require(node, there, fmt::format("input {} is not a constant of integers", place));
  return inputs[place].constant->integers;
}

std::size_t dimension(const Node& node, std::int64_t number, std::size_t rank) {
  const auto size = static_cast<std::int64_t>(rank);
  require(node, number >= -size && number < size, fmt::format("there is no dimension {}", number));
  return static_cast<std::size_t>(number < 0 ? number + size : number);
}

Shape broadcast_shape(const Node& node, const Shape& a, const Shape& b) {
  Shape shape(std::max(a.size(), b.size()), 1);
  for (const auto* other : {&a, &b}) {
    for (std::size_t i = 0; i < other->size(); ++i) {
      auto& size = shape[shape.size() - 1 - i];
      const auto given = (*other)[other->size() - 1 - i];
      require(node, given >= 0 && (size == 1 || given == 1 || given == size),
              fmt::format("[{}] and [{}] do not go together", fmt::join(a, ","), fmt::join(b, ",")));
      size = size == 1 ? given : size;
    }
  }
  return shape;
}

PlannedKernel plan_kernel(const Node& node, const Operands& inputs) {
  for (const auto& [op, plan] : kTable) {
    if (node.op == op) {
      auto planned = plan(node, inputs);
      static_cast<void>(count(planned.shape));
      return planned;
    }
  }
  refuse(node, "an operation that steadyiqa export does not write");
}

std::optional<Tensor> known_integers(const Node& node, const Operands& inputs) {
  const bool of_integers = !inputs.empty() && inputs[0].constant != nullptr && inputs[0].constant->is_integer;
  Tensor result;
  result.is_integer = true;
  if (node.op == "Reshape" && of_integers) {
    result.integers = constant_integers(node, inputs, 0);
    result.shape = reshaped(node, inputs[0].shape, constant_integers(node, inputs, 1));
    return result;
  }
  if (node.op == "Shape") {
    const auto& shape = argument(node, inputs, 0).shape;
    const auto rank = static_cast<std::int64_t>(shape.size());
    const auto start = node.integer("start", 0);
    const auto end = node.integer("end", rank);
    require(node, start >= 0 && start <= end && end <= rank, "its dimensions");
    result.integers.assign(shape.begin() + start, shape.begin() + end);
  } else if (node.op == "Concat" && of_integers) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto& part = constant_integers(node, inputs, i);
      require(node, inputs[i].shape.size() == 1, "its parts are not vectors");
      result.integers.insert(result.integers.end(), part.begin(), part.end());
    }
  } else {
    return std::nullopt;
  }
  result.shape = {static_cast<std::int64_t>(result.integers.size())};
  return result;
}

}  // namespace steadyiqa::inference
