// The scale of a data set's labels, and the way from it to ours.
#pragma once

#include "stats/robustness.h"

#include <string>

namespace steadyiqa::stats {

enum class Direction { kHigherIsBetter, kLowerIsBetter };

struct LabelScale {
  double min = 0;
  double max = 100;
  Direction direction = Direction::kHigherIsBetter;
  std::string name{};  ///< where the range comes from, e.g. "livec raw MOS 3.42..92.43195"
  /// The label on a 0-100, higher-is-better scale; outside of it for a label outside of min..max.
  [[nodiscard]] double to_0_100(double label) const;
  /// The same as a line.
  [[nodiscard]] Affine line_to_0_100() const;
  /// What to_0_100 computes, as text: "100 - 100 * (label - 0) / (1 - 0)".
  [[nodiscard]] std::string transformation() const;
  /// "higher is better" or "lower is better".
  [[nodiscard]] std::string direction_text() const;
};

}  // namespace steadyiqa::stats
