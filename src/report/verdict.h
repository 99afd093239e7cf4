// What a report's numbers mean, in plain words.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace steadyiqa::report {

/// A sentence or two for each model of a report document, from its numbers alone; what is missing or suspicious (an
/// unfinished run, signs of masked gradients, a model that is not calibrated) is said.
[[nodiscard]] std::vector<std::string> verdict(const nlohmann::json& document);

}  // namespace steadyiqa::report
