// Self-contained model files: a safetensors file whose metadata say everything that a score depends on.
#pragma once

#include "checkpoint/safetensors.h"
#include "models/scorer.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace steadyiqa::checkpoint {

/// Of the metadata layout; a file of a newer one is refused, of format 1 (before input policies) read as what it meant.
inline constexpr int kModelFormat = 2;

/// How a model came to be. Empty objects where nothing is known. No times, paths or machine names: the same training
/// gives the same bytes.
struct Provenance {
  nlohmann::json recipe = nlohmann::json::object();    ///< the resolved recipe
  nlohmann::json training = nlohmann::json::object();  ///< data digest, epoch, clean measures on the validation set
};

struct LoadedModel {
  models::Scorer scorer;
  Provenance provenance;
  std::string sha256;  ///< of the file
};

/// Network weights and buffers under their state_dict names, options and provenance in the metadata. Atomic.
void save_model(const std::filesystem::path& path, const models::Scorer& scorer, const Provenance& provenance);

/// Throws Error(kInput) that names the path for a file that is no SteadyIQA model, lacks or adds tensors, or has a
/// wrong shape (the first of each are listed).
[[nodiscard]] LoadedModel load_model(const std::filesystem::path& path);

/// What a file to start training from held.
enum class Initial { kTrunk, kModel };
/// Starts training from a file: all weights of a SteadyIQA model file, or else a pretrained trunk (load_trunk).
Initial load_initial(models::Network& network, const std::filesystem::path& path);

/// Copies every tensor whose name and shape match into the trunk, e.g. features.0.0.weight into
/// res.features.0.0.weight. Throws Error(kInput) when a trunk tensor is missing from the file or has another shape
/// (classifier tensors of the file are ignored).
void load_trunk(models::Network& network, const std::filesystem::path& path);

/// The network's tensors by name, and the other way round (strict, errors name `where`).
[[nodiscard]] TensorMap network_tensors(const models::Network& network);
void set_network_tensors(models::Network& network, const TensorMap& tensors, const std::string& where);

}  // namespace steadyiqa::checkpoint
