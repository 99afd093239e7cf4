// May a model be let through? Limits on what an evaluation found.
#pragma once

#include "evaluation/result.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::evaluation {

struct GateLimits {
  double epsilon = 0;                          ///< the budget whose results count, [0,1] pixels; 0 = every budget
  std::optional<double> max_change{};          ///< mean |score change| under any attack, points of 100
  std::optional<double> max_change_share{};    ///< the same over the clean spread
  std::optional<double> min_srocc{};           ///< clean, to MOS
  std::optional<double> min_srocc_attacked{};  ///< under any attack, to MOS
};

struct GateCheck {
  std::string name;  ///< "clean SROCC to MOS", "mean change under auto at 4/255"
  double value = 0;  ///< NaN fails
  double limit = 0;
  bool at_least = true;
  [[nodiscard]] bool holds() const { return at_least ? value >= limit : value <= limit; }
  [[nodiscard]] std::string text() const;  ///< "mean change under fgsm at 4/255, down: 12.31 points, at most 5"
};

/// One check for each limit and each evaluation that it is about. Throws Error(kUsage) when nothing is limited, no
/// evaluation is at that budget, or the scores are not calibrated (points of a raw scale mean nothing), and
/// Error(kInput) when images are missing.
[[nodiscard]] std::vector<GateCheck> check_gate(std::span<const Evaluation> evaluations, const GateLimits& limits);

}  // namespace steadyiqa::evaluation
