// Models that others trained: their tensors under our names, and the preprocessing and scale that their file implies.
#pragma once

#include "checkpoint/checkpoint_file.h"
#include "models/scorer.h"

#include <map>
#include <optional>
#include <string>

namespace steadyiqa::checkpoint {

/// What the user says of a file; "" = what its keys tell, or what is usual.
struct ModelChoice {
  std::string model{};
  std::string backbone{};
  std::optional<double> swin_scale{};              ///< MANIQA's; no file holds it
  std::optional<stats::LabelScale> label_scale{};  ///< of the labels that the network was trained on
  [[nodiscard]] bool is_empty() const { return model.empty() && backbone.empty() && !swin_scale && !label_scale; }
};

/// The model that a file holds, by the user's word or its keys. Throws Error(kInput) naming `where` when neither tells
/// one.
[[nodiscard]] Detected identify_model(const CheckpointInfo& info, const ModelChoice& choice, const std::string& where);

/// The scale of a foreign model's score: of `labels` where they are known, else the published weights'. `scalars` are
/// the file's own (LinearityIQA's k and b). Throws Error(kUsage) for labels of an output without its k and b.
[[nodiscard]] models::ScoreScale foreign_scale(const Detected& model,
                                               const std::map<std::string, nlohmann::json>& scalars,
                                               const std::optional<stats::LabelScale>& labels = std::nullopt);

/// The Scorer of such a file: the one place where its preprocessing, crops and score scale are set. Throws
/// Error(kInput) naming `where`, with the missing, unexpected and mismatched tensors, Error(kUsage) for a choice that
/// the model has not.
[[nodiscard]] models::Scorer foreign_scorer(const Checkpoint& file, const Detected& model, const ModelChoice& choice,
                                            const std::string& where);

}  // namespace steadyiqa::checkpoint
