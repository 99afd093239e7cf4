// An examination for masked gradients, as text.
#pragma once

#include "evaluation/masking_report.h"

#include <string>

namespace steadyiqa::report {

/// A line for each check with its value and what is asked, and a verdict.
[[nodiscard]] std::string masking_table(const evaluation::MaskingReport& report);

}  // namespace steadyiqa::report
