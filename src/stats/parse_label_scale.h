// The scale of scores or labels as a user writes it.
#pragma once

#include "stats/label_scale.h"

#include <string>

namespace steadyiqa::stats {

/// "WORST:BEST", the labels of the worst and the best quality: "0:1", or "100:0" of a DMOS. Throws Error(kUsage).
[[nodiscard]] LabelScale parse_label_scale(const std::string& text);

}  // namespace steadyiqa::stats
