// The report as one HTML file that asks no network.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace steadyiqa::report {

/// The page (src/report/html) with styles, chart library, script and the document in it. Whatever the document's texts
/// hold, they stay texts.
[[nodiscard]] std::string html_report(const nlohmann::json& document);

}  // namespace steadyiqa::report
