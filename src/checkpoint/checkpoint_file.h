// A checkpoint of any container that we read: safetensors, PyTorch's zip and PyTorch's legacy one.
#pragma once

#include "checkpoint/key_maps.h"
#include "checkpoint/safetensors.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace steadyiqa::checkpoint {

/// What a file holds, without its weights.
struct CheckpointInfo {
  std::string container;                      ///< "safetensors", "PyTorch zip", "PyTorch legacy"
  std::vector<std::string> wrapping;          ///< what was taken off the names, outermost first: "['model']", "module."
  std::map<std::string, TensorInfo> tensors;  ///< by unwrapped name
  /// Numbers, texts and short lists of numbers beside the tensors (LinearityIQA's k and b); PyTorch only.
  std::map<std::string, nlohmann::json> scalars;
  std::map<std::string, std::string> metadata;  ///< safetensors', or what `convert` put into a PyTorch file
  std::map<std::string, std::string> others;    ///< values that were not read: name -> kind
  std::optional<Detected> detected;
};

struct Checkpoint {
  CheckpointInfo info;
  TensorMap tensors;  ///< by unwrapped name; CPU, contiguous, dtypes as stored
};

/// Key of our own metadata in either kind of container.
inline constexpr const char* kModelMetadata = "steadyiqa";

/// Both throw Error(kInput) that names the path when anything about the file is wrong; nothing in a file is ever run.
/// Memory stays below about three times the file's size.
[[nodiscard]] CheckpointInfo inspect_checkpoint(const std::filesystem::path& path);
[[nodiscard]] Checkpoint read_checkpoint(const std::filesystem::path& path);

}  // namespace steadyiqa::checkpoint
