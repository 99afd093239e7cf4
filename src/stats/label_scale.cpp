#include "stats/label_scale.h"

#include <fmt/format.h>

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

}  // namespace steadyiqa::stats
