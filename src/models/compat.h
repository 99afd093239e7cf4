// Preprocessing, pooling and score scale of published models: one table, by model and by whose code is matched.
#pragma once

#include "models/scorer.h"

#include <optional>
#include <span>
#include <string>

namespace steadyiqa::models {

struct CompatRow {
  std::string model;
  Compat compat = Compat::kOurs;
  image::InputPolicy input{};
  image::CropPolicy crops{};
  std::optional<NativeScale>
      native{};  ///< of the weights that they publish; none for ours and where none are published
};

/// docs/preprocessing.md shows it to users.
[[nodiscard]] std::span<const CompatRow> compat_table();
/// Throws Error(kUsage) that names what there is when the model has no such row.
[[nodiscard]] const CompatRow& find_compat(const std::string& model, Compat compat);

/// The names of Compat's values, in order: ours, official, pyiqa.
[[nodiscard]] const std::vector<std::string>& compat_names();
/// Throws Error(kUsage) for another text.
[[nodiscard]] Compat compat_from(const std::string& name);

/// Puts the row's input and crop policies (pooling included) into force and the scale that scores are reported on.
/// What a score means (options.scale) belongs to the weights and stays.
void apply_compat(ScorerOptions& options, Compat compat);

/// For weights that `origin` (kOfficial or kPyiqa) publishes: the catalogue's crop and normalisation, its
/// preprocessing, its scale (replace it by scale_of where the file says more: k and b, another label scale).
[[nodiscard]] ScorerOptions published_options(const std::string& model, const std::string& backbone, Compat origin);
/// The scale of a network whose labels are known: calibrated by them.
[[nodiscard]] ScoreScale scale_of(const NativeScale& native);

}  // namespace steadyiqa::models
