// What every container shares: named tensors, the dtypes we read and write, and how text from a file is shown.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa::checkpoint {

using TensorMap = std::map<std::string, torch::Tensor>;

inline constexpr std::size_t kMaxDims = 64;          // what libtorch's element-wise operators can take
inline constexpr std::size_t kMaxTensors = 100'000;  // some 100 times the largest model here

/// What a file says of one tensor.
struct TensorInfo {
  torch::Dtype dtype = torch::kFloat32;
  std::vector<std::int64_t> shape;
};

/// A dtype that we read and write: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL.
struct DtypeName {
  std::string_view name;           ///< as safetensors spells it
  std::string_view torch_storage;  ///< PyTorch's storage class
  torch::Dtype dtype;
};
[[nodiscard]] std::span<const DtypeName> dtype_names();
/// nullptr for a dtype that is not in the table.
[[nodiscard]] const DtypeName* find_dtype(torch::Dtype dtype);
/// "F64 F32 ...", for messages.
[[nodiscard]] std::string supported_dtypes();

/// Bytes of a tensor of that shape (dimensions >= 0). Empty when the number does not fit 63 bits, whatever zeros the
/// shape holds: strides are products over the other dimensions and would overflow as well.
[[nodiscard]] std::optional<std::uint64_t> byte_count(const std::vector<std::int64_t>& shape, torch::Dtype dtype);

/// Throws Error(kInput) unless every byte is 0 or 1: any other one in a bool is undefined behaviour when it is read.
void require_bools(std::span<const std::byte> bytes, const std::string& where);

/// Text from a file as it may stand in a one-line message: quoted, JSON-escaped and cut to a readable length.
[[nodiscard]] std::string shown(std::string_view text);
/// "[2,3]"
[[nodiscard]] std::string shape_text(std::span<const std::int64_t> shape);
/// The first few names: "a, b, c, ...".
[[nodiscard]] std::string first_names(const std::vector<std::string>& names);

}  // namespace steadyiqa::checkpoint
