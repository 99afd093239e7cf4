// An ONNX file that `steadyiqa export` wrote (docs/export.md), read back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace steadyiqa::inference {

using Shape = std::vector<std::int64_t>;

/// A constant, row-major: float32 values, or int64 ones (sizes, axes, indices).
struct Tensor {
  Shape shape;  ///< {} = a scalar
  std::vector<float> values;
  std::vector<std::int64_t> integers;
  bool is_integer = false;
};

using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>;

/// One operation with one result.
struct Node {
  std::string op;
  std::vector<std::string> inputs;  ///< "" = left out
  std::string output;
  std::map<std::string, Attribute> attributes;

  /// The attribute, or the default where there is none; Error(kInput) for one of another type.
  [[nodiscard]] std::int64_t integer(const std::string& name, std::int64_t otherwise) const;
  [[nodiscard]] double real(const std::string& name, double otherwise) const;
  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise) const;
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& name,
                                                   const std::vector<std::int64_t>& otherwise) const;
};

inline constexpr std::int64_t kAnyBatch = -1;

struct OnnxFile {
  std::string input;  ///< name
  Shape input_shape;  ///< first kAnyBatch where the caller chooses it
  std::vector<std::string> outputs;
  std::vector<Node> nodes;  ///< each after those that it reads
  std::map<std::string, Tensor> constants;
  std::map<std::string, std::string> metadata;
};

/// Throws Error(kInput) with the name for what is no ONNX file, has another operator set, types, operators with several
/// results, names used twice or before they are computed, or constants whose data do not fill their shape.
[[nodiscard]] OnnxFile parse_onnx(std::string_view bytes, const std::string& name);
/// The same of a file, at most 2 GB.
[[nodiscard]] OnnxFile read_onnx(const std::filesystem::path& path);

/// Number of elements. Throws Error(kInput) for negative sizes and for more than 2^31.
[[nodiscard]] std::int64_t count(const Shape& shape);

}  // namespace steadyiqa::inference
