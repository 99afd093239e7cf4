// Evaluations sorted into models and attacks: what every report starts from.
#pragma once

#include "evaluation/result.h"

#include <span>
#include <string>
#include <vector>

namespace steadyiqa::report {

/// One model's evaluations, in the order given.
struct ModelResults {
  std::string label;  ///< short and unique: the file's name, with its folder where that is needed
  std::vector<const evaluation::Evaluation*> evaluations;

  [[nodiscard]] const evaluation::Evaluation& first() const { return *evaluations.front(); }
  /// The evaluation under an attack, its measures there, or nullptr when this model was not attacked that way.
  [[nodiscard]] const evaluation::Evaluation* under(const evaluation::AttackDescription& attack) const;
};

/// Throws Error(kUsage) when there is no evaluation, or when two are of different images.
void require_same_images(std::span<const evaluation::Evaluation> evaluations);
void require_same_images(const evaluation::Evaluation& a, const evaluation::Evaluation& b);
/// Models in order of first appearance. They point into `evaluations`.
[[nodiscard]] std::vector<ModelResults> group_by_model(std::span<const evaluation::Evaluation> evaluations);
/// Every attack once, in order of first appearance.
[[nodiscard]] std::vector<evaluation::AttackDescription> list_attacks(
    std::span<const evaluation::Evaluation> evaluations);

/// What the scores mean, how and on what they were made; each line within `width` code points.
[[nodiscard]] std::string footer(const std::vector<ModelResults>& models, std::size_t width);

}  // namespace steadyiqa::report
