// JSON as text that always comes out.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace steadyiqa {

/// UTF-8, on one line or with so many spaces for each level. Bytes of strings that are not UTF-8 (of a path, say)
/// become U+FFFD; nlohmann's own dump() throws.
[[nodiscard]] std::string json_text(const nlohmann::json& value, int indent = -1);

/// Whether JSON and TOML can hold the text as it is.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace steadyiqa
