// Self-contained model files: a safetensors file whose metadata say everything that a score depends on.
#pragma once

#include "checkpoint/foreign_model.h"
#include "checkpoint/network_tensors.h"
#include "checkpoint/safetensors.h"
#include "models/scorer.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace steadyiqa::checkpoint {

/// Of the metadata layout; a file of a newer one is refused, of format 1 (before input policies) or 2
/// (before purification) read as what it meant.
inline constexpr int kModelFormat = 3;

/// How a model came to be. Empty objects where nothing is known. No times, paths or machine names: the same training
/// gives the same bytes.
struct Provenance {
  nlohmann::json recipe = nlohmann::json::object();    ///< the resolved recipe
  nlohmann::json training = nlohmann::json::object();  ///< data digest, epoch, clean measures on the validation set
  /// data::pixel_digest of each image that the weights were fitted to; empty where that is not known.
  std::vector<std::string> training_images{};
};

struct LoadedModel {
  models::Scorer scorer;
  Provenance provenance;
  std::string sha256;  ///< of the file
};

/// Network weights and buffers under their state_dict names, options and provenance in the metadata. Atomic.
void save_model(const std::filesystem::path& path, const models::Scorer& scorer, const Provenance& provenance);

/// What save_model writes, to be put into a container.
[[nodiscard]] SafetensorsFile model_contents(const models::Scorer& scorer, const Provenance& provenance);

/// Loads a model from any container, ready for use (Scorer::fold_batch_norm): by our own metadata where the file has
/// them, else as a published model that its keys or `choice` tell (foreign_scorer says with what preprocessing). Throws
/// Error(kInput) that names the path for a file that is neither, lacks or adds tensors, or has a wrong shape (the first
/// of each are listed).
[[nodiscard]] LoadedModel load_model(const std::filesystem::path& path, const ModelChoice& choice = {});
/// The same from what was read of the file at `path`.
[[nodiscard]] LoadedModel load_model(Checkpoint file, const std::filesystem::path& path, const ModelChoice& choice);

}  // namespace steadyiqa::checkpoint
