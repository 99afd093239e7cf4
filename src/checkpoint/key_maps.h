// What is known of other people's files by their tensors' names: which model they hold, what our networks call those
// tensors, and which parts of a network a file may fill. Tables in key_maps.cpp.
#pragma once

#include "checkpoint/tensor_info.h"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace steadyiqa::checkpoint {

enum class Origin {
  kAuthors,  ///< the names that the authors' code and our networks use
  kPyiqa     ///< IQA-PyTorch's re-implementation and re-training
};

/// What a file holds, told by its keys.
struct Detected {
  std::string what;      ///< for people: "HyperIQA", "ResNet-50 (torchvision)"
  std::string model;     ///< of the catalogue; "" for a part of a model, such as an ImageNet trunk
  std::string backbone;  ///< "" = the model has none to choose
  Origin origin = Origin::kAuthors;
};
/// Names as after unwrapping. Nothing when no signature is found.
[[nodiscard]] std::optional<Detected> detect_model(const std::map<std::string, TensorInfo>& tensors);

/// Strips 'module.' while all names have it, then 'model.' if all names have it: how many characters go. `wrapping`
/// receives the prefixes.
[[nodiscard]] std::size_t common_prefix(const std::vector<std::string>& names, std::vector<std::string>& wrapping);

/// Our networks' name of a tensor of such a file.
[[nodiscard]] std::string own_name(Origin origin, const std::string& name);

/// Whether a network can do without it: counters that no score depends on, and buffers that are recomputed.
[[nodiscard]] bool is_optional(std::string_view name);

/// A part of a network that a file of its own may fill.
struct PartRule {
  std::string what;
  /// (prefix in the file, prefix in the network)
  std::vector<std::pair<std::string, std::string>> prefixes;
  std::string except{};  ///< network names with this prefix are no part of it
};
/// Where torchvision's, timm's and the S-CNN's files go; and, as the last ones, the trunk of any network under its own
/// and under bare names. `trunk_prefix` as of models::Network.
[[nodiscard]] std::vector<PartRule> part_rules(const std::string& trunk_prefix);

}  // namespace steadyiqa::checkpoint
