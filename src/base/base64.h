// Bytes as text (RFC 4648).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa {

[[nodiscard]] std::string base64(std::span<const std::byte> bytes);
/// Back. Throws Error(kInput) for a text that is none.
[[nodiscard]] std::vector<std::byte> from_base64(std::string_view text);

}  // namespace steadyiqa
