// JSON as text that always comes out.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace steadyiqa {

/// UTF-8, on one line or with so many spaces for each level. Bytes of strings that are not UTF-8 (of a path, say) become
/// U+FFFD; nlohmann's own dump() throws.
[[nodiscard]] std::string json_text(const nlohmann::json& value, int indent = -1);

}  // namespace steadyiqa
