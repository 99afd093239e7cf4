// Models that others trained: their tensors under our names, and the preprocessing and scale that their file implies.
#pragma once

#include "checkpoint/checkpoint_file.h"
#include "models/scorer.h"

#include <map>
#include <string>

namespace steadyiqa::checkpoint {

/// What the user says of a file; "" = what its keys tell.
struct ModelChoice {
  std::string model;
  std::string backbone;
};

/// The model that a file holds, by the user's word or its keys. Throws Error(kInput) naming `where` when neither tells
/// one.
[[nodiscard]] Detected identify_model(const CheckpointInfo& info, const ModelChoice& choice, const std::string& where);

/// The scale of a foreign model's score. `scalars` are the file's own (LinearityIQA's k and b).
[[nodiscard]] models::ScoreScale foreign_scale(const Detected& model,
                                               const std::map<std::string, nlohmann::json>& scalars);

/// The one place where a foreign model's preprocessing, crops and score scale are set (models.md 1.5, 1.6, 2.4, 3.4,
/// 4.5).
[[nodiscard]] models::ScorerOptions foreign_scorer_options(const Detected& model,
                                                           const std::map<std::string, nlohmann::json>& scalars);

/// The Scorer of such a file. Throws Error(kInput) naming `where`, with the missing, unexpected and mismatched tensors.
[[nodiscard]] models::Scorer foreign_scorer(const Checkpoint& file, const Detected& model, const std::string& where);

}  // namespace steadyiqa::checkpoint
