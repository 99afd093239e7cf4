// TOML files as JSON values, so that option tables read one kind of tree.
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace steadyiqa {

/// The file as nested JSON objects. Throws Error(kUsage) "FILE:LINE: ..." when it does not parse; dates are refused.
[[nodiscard]] nlohmann::json read_toml(const std::filesystem::path& path);
/// The same of a text; `file` names it in errors.
[[nodiscard]] nlohmann::json parse_toml(std::string_view text, const std::string& file);

}  // namespace steadyiqa
