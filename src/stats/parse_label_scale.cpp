#include "stats/parse_label_scale.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>

namespace steadyiqa::stats {

LabelScale parse_label_scale(const std::string& text) {
  const auto colon = text.find(':');
  const double none = std::nan("");
  const double worst = parse_number(text.substr(0, colon)).value_or(none);
  const double best = colon == std::string::npos ? none : parse_number(text.substr(colon + 1)).value_or(none);
  const double length = best - worst;
  if (!std::isfinite(length) || !std::isfinite(100.0 / length)) {
    fail_usage("scale '{}' is not WORST:BEST, two different numbers such as 0:100, or 100:0 of a DMOS", text);
  }
  using enum Direction;
  return {std::min(worst, best), std::max(worst, best), worst < best ? kHigherIsBetter : kLowerIsBetter,
          fmt::format("{} (worst) to {} (best)", worst, best)};
}

}  // namespace steadyiqa::stats
