// A report document as tables for papers and spreadsheets, in the layout of the NT paper: a row for each model, a
// column for each attack and budget.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace steadyiqa::report {

/// Verdict, then a table for each measure: clean and attacked SROCC with 95 % intervals, PLCC, RMSE, R, mean change.
[[nodiscard]] std::string markdown_report(const nlohmann::json& document);
/// One row for each model, attack and budget, with every measure and interval.
[[nodiscard]] std::string csv_report(const nlohmann::json& document);
/// The tables of markdown_report as LaTeX (booktabs).
[[nodiscard]] std::string latex_report(const nlohmann::json& document);

}  // namespace steadyiqa::report
