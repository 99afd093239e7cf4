// Builds an ONNX model (https://github.com/onnx/onnx/blob/main/docs/IR.md) node by node and gives its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace steadyiqa::exporting {

/// Read by onnxruntime 1.12 (July 2022) and every later one.
inline constexpr std::int64_t kOnnxOpset = 17;
inline constexpr std::int64_t kOnnxIrVersion = 8;

enum class ElementType { kFloat32, kInt64 };

/// A dimension's size, or a name for one that the caller of the model chooses.
using Dimension = std::variant<std::int64_t, std::string>;
using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>;
using Attributes = std::vector<std::pair<std::string, Attribute>>;
using Metadata = std::vector<std::pair<std::string, std::string>>;
using Names = std::vector<std::string>;

/// A value is known by its name; "" stands for an optional input that is left out. The same calls give the same bytes.
class OnnxGraph {
 public:
  OnnxGraph();
  ~OnnxGraph();
  OnnxGraph(const OnnxGraph&) = delete;
  OnnxGraph& operator=(const OnnxGraph&) = delete;
  OnnxGraph(OnnxGraph&& other) noexcept;
  OnnxGraph& operator=(OnnxGraph&& other) noexcept;

  /// The model's float32 inputs and outputs, in order. An output must be the name that some node gave.
  void add_input(const std::string& name, const std::vector<Dimension>& dimensions);
  void add_output(const std::string& name, const std::vector<Dimension>& dimensions);
  /// Adds a node of the default operator set with one result, whose name is returned: `result`, or a new one for "".
  std::string add_node(const std::string& op, const Names& inputs, const Attributes& attributes = {},
                       const std::string& result = "");
  /// Adds a constant tensor, row-major and little-endian. `name` must be unique; "" = a new name, which is returned.
  std::string add_constant(ElementType type, std::span<const std::int64_t> shape, std::string_view bytes,
                           const std::string& name = "");
  /// A vector of int64, a scalar int64, a scalar float32.
  std::string add_vector(std::span<const std::int64_t> values);
  std::string add_index(std::int64_t value);
  std::string add_scalar(double value);

  /// The model file. Throws Error(kInput) when it would reach 2 GB, more than the format holds.
  [[nodiscard]] std::string serialise(const std::string& producer_version, const Metadata& metadata) const;

 private:
  struct Parts;
  [[nodiscard]] std::string new_name(const std::string& stem);
  std::unique_ptr<Parts> parts_;
};

}  // namespace steadyiqa::exporting
