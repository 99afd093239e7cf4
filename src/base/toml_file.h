// TOML files as JSON values, so that option tables read one kind of tree.
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>

namespace steadyiqa {

/// The file as nested JSON objects. Throws Error(kUsage) "FILE:LINE: ..." when it does not parse; dates are refused.
[[nodiscard]] nlohmann::json read_toml(const std::filesystem::path& path);

}  // namespace steadyiqa
