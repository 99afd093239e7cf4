// What an evaluation found, as tables for a terminal. UTF-8.
#pragma once

#include "evaluation/result.h"

#include <cstddef>
#include <span>
#include <string>

namespace steadyiqa::report {

inline constexpr std::size_t kTableWidth = 100;     ///< code points a line
inline constexpr std::size_t kDemoTableWidth = 90;  ///< code points a line

/// One data set, one or several models (the first is the baseline), none or several attacks: a clean table, then one
/// block for each attack with the change against the first model. Throws Error(kUsage) when there is no evaluation or
/// when they are not of the same images.
[[nodiscard]] std::string evaluation_table(std::span<const evaluation::Evaluation> evaluations);

/// A baseline beside a model trained with gradient-norm regularisation (NT): the measures that matter, and who is
/// better at each. Either span is one model's, one evaluation per attack; the attacks shown are the baseline's. Throws
/// as evaluation_table does.
[[nodiscard]] std::string demo_table(std::span<const evaluation::Evaluation> baseline,
                                     std::span<const evaluation::Evaluation> nt);

/// "4/255 (0.01569px)", or "0.005px (1/255 after rounding)" when the budget is no whole number of levels.
[[nodiscard]] std::string epsilon_text(const evaluation::AttackDescription& attack);
/// Name and parameters: "ifgsm step-size 0.0 steps 10".
[[nodiscard]] std::string attack_text(const evaluation::AttackDescription& attack);

}  // namespace steadyiqa::report
