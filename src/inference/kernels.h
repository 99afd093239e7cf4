// The operations of an exported graph that are not oneDNN's: on plain row-major float32, written to be read.
#pragma once

#include "inference/onnx_file.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::inference {

/// A tensor argument as it is known before the model runs.
struct Operand {
  bool given = true;  ///< false: left out
  Shape shape{};
  const Tensor* constant = nullptr;
};

/// From the data of the inputs (nullptr for one left out) to the result's.
using Kernel = std::function<void(std::span<const float* const> inputs, float* output)>;

struct PlannedKernel {
  Shape shape;  ///< of the result
  Kernel run;
};

/// Throws Error(kInput) that names the operation for one that is not known, arguments of the wrong number, kind or
/// shape, and sizes or indices that are not constants.
[[nodiscard]] PlannedKernel plan_kernel(const Node& node, const std::vector<Operand>& inputs);

/// The result of an operation on sizes or indices (Shape; Concat and Reshape of int64), nothing for another operation.
/// Throws as plan_kernel.
[[nodiscard]] std::optional<Tensor> known_integers(const Node& node, const std::vector<Operand>& inputs);

/// Shapes and arguments, for those who plan operations.
[[noreturn]] void refuse(const Node& node, const std::string& reason);
void require(const Node& node, bool supported, const std::string& reason);
/// The input, given and of that rank or any (-1).
[[nodiscard]] const Operand& argument(const Node& node, const std::vector<Operand>& inputs, std::size_t place,
                                      std::int64_t rank = -1);
/// The values of an input that is an int64 constant.
[[nodiscard]] const std::vector<std::int64_t>& constant_integers(const Node& node, const std::vector<Operand>& inputs,
                                                                 std::size_t place);
/// A dimension counted from the front.
[[nodiscard]] std::size_t dimension(const Node& node, std::int64_t number, std::size_t rank);
/// The shape to which both are broadcast.
[[nodiscard]] Shape broadcast_shape(const Node& node, const Shape& a, const Shape& b);

/// `shape` with -1 (what is left) and 0 (as in `from`) resolved.
[[nodiscard]] Shape reshaped(const Node& node, const Shape& from, Shape shape);

// Planners of kernels_shape.cpp, for plan_kernel's table.
[[nodiscard]] PlannedKernel plan_identity(const Node& node, const std::vector<Operand>& inputs);
[[nodiscard]] PlannedKernel plan_reshape(const Node& node, const std::vector<Operand>& inputs);
[[nodiscard]] PlannedKernel plan_transpose(const Node& node, const std::vector<Operand>& inputs);
[[nodiscard]] PlannedKernel plan_expand(const Node& node, const std::vector<Operand>& inputs);
[[nodiscard]] PlannedKernel plan_slice(const Node& node, const std::vector<Operand>& inputs);
[[nodiscard]] PlannedKernel plan_gather(const Node& node, const std::vector<Operand>& inputs);
[[nodiscard]] PlannedKernel plan_concat(const Node& node, const std::vector<Operand>& inputs);
[[nodiscard]] PlannedKernel plan_resize(const Node& node, const std::vector<Operand>& inputs);

}  // namespace steadyiqa::inference
