#include "checkpoint/tensor_info.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace steadyiqa::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "the containers' data are little-endian");

constexpr std::array<DtypeName, 10> kDtypes{{{"F64", "DoubleStorage", torch::kFloat64},
                                             {"F32", "FloatStorage", torch::kFloat32},
                                             {"F16", "HalfStorage", torch::kFloat16},
                                             {"BF16", "BFloat16Storage", torch::kBFloat16},
                                             {"I64", "LongStorage", torch::kInt64},
                                             {"I32", "IntStorage", torch::kInt32},
                                             {"I16", "ShortStorage", torch::kInt16},
                                             {"I8", "CharStorage", torch::kInt8},
                                             {"U8", "ByteStorage", torch::kUInt8},
                                             {"BOOL", "BoolStorage", torch::kBool}}};

}  // namespace

std::span<const DtypeName> dtype_names() { return kDtypes; }

const DtypeName* find_dtype(torch::Dtype dtype) {
  const auto* found = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const auto& d) { return d.dtype == dtype; });
  return found == kDtypes.end() ? nullptr : found;
}

std::string supported_dtypes() {
  std::string names;
  for (const auto& entry : kDtypes) {
    names += names.empty() ? "" : " ";
    names += entry.name;
  }
  return names;
}

std::optional<std::uint64_t> byte_count(const std::vector<std::int64_t>& shape, torch::Dtype dtype) {
  std::uint64_t bytes = torch::elementSize(dtype);
  bool has_zero = false;
  for (const std::int64_t dim : shape) {
    has_zero = has_zero || dim == 0;
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(dim, 1));
    if (bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor) {
      return std::nullopt;
    }
    bytes *= factor;
  }
  return has_zero ? 0 : bytes;
}

void require_bools(std::span<const std::byte> bytes, const std::string& where) {
  if (std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return std::to_integer<int>(b) > 1; })) {
    fail_input("{}: a BOOL value is neither 0 nor 1", where);
  }
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMaxShown = 80;
  const bool cut = text.size() > kMaxShown;
  const nlohmann::json value = std::string(text.substr(0, kMaxShown));
  const std::string dumped = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return fmt::format("'{}{}'", std::string_view(dumped).substr(1, dumped.size() - 2), cut ? "..." : "");
}

std::string shape_text(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

std::string first_names(const std::vector<std::string>& names) {
  constexpr std::size_t kNamesShown = 3;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > kNamesShown ? text + ", ..." : text;
}

}  // namespace steadyiqa::checkpoint
