#include "stats/label_scale.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>

namespace steadyiqa::stats {

double LabelScale::to_0_100(double label) const {
  const double share = 100.0 * (label - min) / (max - min);
  return direction == Direction::kHigherIsBetter ? share : 100.0 - share;
}

Affine LabelScale::line_to_0_100() const {
  const bool higher = direction == Direction::kHigherIsBetter;
  const double slope = 100.0 / (higher ? max - min : min - max);
  return {slope, -slope * (higher ? min : max)};
}

std::string LabelScale::transformation() const {
  const char* start = direction == Direction::kHigherIsBetter ? "" : "100 - ";
  return fmt::format("{}100 * (label - {}) / ({} - {})", start, min, max, min);
}

std::string LabelScale::direction_text() const {
  return direction == Direction::kHigherIsBetter ? "higher is better" : "lower is better";
}

LabelScale parse_label_scale(const std::string& text) {
  const auto colon = text.find(':');
  const auto worst = parse_number(text.substr(0, colon));
  const auto best = colon == std::string::npos ? std::nullopt : parse_number(text.substr(colon + 1));
  const double length = worst && best ? *best - *worst : 0.0;
  if (!std::isfinite(length) || !std::isfinite(100.0 / length)) {
    fail_usage("scale '{}' is not WORST:BEST, two different numbers such as 0:100, or 100:0 of a DMOS", text);
  }
  using enum Direction;
  return {std::min(*worst, *best), std::max(*worst, *best), *worst < *best ? kHigherIsBetter : kLowerIsBetter,
          fmt::format("{} (worst) to {} (best)", *worst, *best)};
}

}  // namespace steadyiqa::stats
