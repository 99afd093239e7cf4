// What `data check` found, as text for a terminal.
#pragma once

#include "data/check.h"

#include <string>

namespace steadyiqa::report {

/// The counts, the labels' range, direction and histogram, the sets, and every irregularity; of the problems with
/// single images the first few of each kind. UTF-8, lines of at most kTableWidth code points.
[[nodiscard]] std::string dataset_report(const data::DatasetCheck& check);

}  // namespace steadyiqa::report
