// From a pair of traces to an ONNX graph: walks the operations and asks the operator table for each.
#pragma once

#include "exporting/onnx_graph.h"
#include "exporting/trace.h"

#include <ATen/core/ivalue.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace torch::jit {
struct Node;
struct Value;
}  // namespace torch::jit

namespace steadyiqa::exporting {

/// Size of a dimension that follows the batch.
inline constexpr std::int64_t kBatchSized = -1;

class Lowering;

/// One operation of the trace as the operator table sees it. Arguments go by their names in aten's schema. Every reader
/// throws Error(kInput) with the operation's name for a value that depends on the batch size, is of another type, or is
/// not known before the model runs.
class Op {
 public:
  Op(Lowering& lowering, const torch::jit::Node& first, const torch::jit::Node& second)
      : lowering_(lowering), first_(first), second_(second) {}

  /// The ONNX name of a tensor argument; a number becomes a float32 scalar.
  [[nodiscard]] std::string input(const std::string& argument) const;
  /// Of each tensor in a list.
  [[nodiscard]] Names inputs(const std::string& argument) const;
  /// Whether the schema has the argument, and its value is not None.
  [[nodiscard]] bool given(const std::string& argument) const;
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& argument) const;
  [[nodiscard]] std::int64_t integer(const std::string& argument) const;
  [[nodiscard]] double real(const std::string& argument) const;
  [[nodiscard]] bool flag(const std::string& argument) const;
  [[nodiscard]] std::string text(const std::string& argument) const;

  /// Sizes of a tensor argument and of the result; kBatchSized where the traces differ.
  [[nodiscard]] std::vector<std::int64_t> sizes(const std::string& argument) const;
  [[nodiscard]] std::vector<std::int64_t> result_sizes() const;
  /// A dimension number of that argument, counted from the front.
  [[nodiscard]] std::int64_t dimension(const std::string& argument, std::int64_t number) const;
  /// ONNX name of the size, an int64 vector of one, of the result's dimension, which must be the batch's.
  [[nodiscard]] std::string batch_size(std::size_t dimension) const;

  [[nodiscard]] OnnxGraph& graph() const;
  std::string add(const std::string& op, const Names& inputs, const Attributes& attributes = {}) const {
    return graph().add_node(op, inputs, attributes);
  }
  /// "cannot export aten::NAME: reason"
  [[noreturn]] void refuse(const std::string& reason) const;
  /// The same unless `supported`.
  void require(bool supported, const std::string& reason) const;

 private:
  [[nodiscard]] c10::IValue constant(const std::string& argument) const;

  Lowering& lowering_;
  const torch::jit::Node& first_;
  const torch::jit::Node& second_;
};

/// The graph of the traces with float32 input "pixels" and the traces' outputs. Throws Error(kInput) that names
/// the operation for one that the table does not know, or where the batch size decides more than sizes of dimensions.
[[nodiscard]] OnnxGraph lower(const TracePair& traces);

}  // namespace steadyiqa::exporting
