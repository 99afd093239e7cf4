// From a checkpoint of any container to safetensors or PyTorch's zip.
#pragma once

#include "checkpoint/foreign_model.h"
#include "models/purification.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace steadyiqa::checkpoint {

/// Whether `path` may be converted to: its ending is .safetensors, .pth or .pt. Throws Error(kUsage) otherwise.
void require_output_ending(const std::filesystem::path& path);

/// Writes what `in` holds. A model, told by its metadata, its keys or `choice`, becomes a self-contained model file
/// (either container; `load_model` reads both); the tensors of anything else are copied under their unwrapped names,
/// with its scalars as texts. `purification`, where given, replaces the model's; Error(kUsage) where there is no model.
/// Returns one line that says which.
[[nodiscard]] std::string convert(const std::filesystem::path& in, const std::filesystem::path& out,
                                  const ModelChoice& choice,
                                  const std::optional<std::vector<models::Purifier>>& purification = {});

}  // namespace steadyiqa::checkpoint
