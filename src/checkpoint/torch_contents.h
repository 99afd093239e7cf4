// From the object of a torch.save file to named tensors and the plain values beside them.
#pragma once

#include "checkpoint/torch_file.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace steadyiqa::checkpoint {

struct TorchContents {
  std::vector<std::string> wrapping;  ///< outermost first: "['model']", "torch.nn...DataParallel object"
  std::map<std::string, StoredTensor> tensors;
  /// Numbers, texts and short lists of numbers that stand beside the tensors or their wrapping.
  std::map<std::string, nlohmann::json> scalars;
  std::map<std::string, std::string> others;  ///< what was not read: name -> what it is
};

/// Unwraps 'params_ema', 'params', 'model', 'state_dict', 'net', 'model_state_dict' and whole modules (their persistent
/// parameters and buffers under their paths); names in nested dicts and lists are joined by dots.
/// Throws Error(kInput) naming `where` when the object is broken, nests deeper than 64 or names too much.
[[nodiscard]] TorchContents torch_contents(const TorchFile& file, const std::string& where);

}  // namespace steadyiqa::checkpoint
