// The models there are: one explicit table.
#pragma once

#include "models/network.h"

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::models {

/// Per-channel (x - mean) / std, RGB, for x in [0,1].
struct Normalisation {
  std::array<double, 3> mean{};
  std::array<double, 3> std{};
};
inline constexpr Normalisation kImageNet = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};

struct ModelInfo {
  std::string name;
  std::string help;
  std::string source;                  ///< paper and code that define it
  std::vector<std::string> backbones;  ///< the first is the paper's; empty = the model has none to choose
  int crop = 224;                      ///< side of the network's input in training and scoring, pixels
  bool any_size = false;               ///< other crop sides work, too
  Normalisation normalisation{};
  std::shared_ptr<Network> (*make)(const std::string& backbone);
  void (*initialise)(Network& network, std::uint64_t seed);
};

[[nodiscard]] std::span<const ModelInfo> model_catalogue();
/// Throws Error(kUsage) for an unknown name, with the nearest.
[[nodiscard]] const ModelInfo& find_model(const std::string& name);
/// The named network, weights not yet set. backbone "" = the paper's. Throws Error(kUsage) for an unknown name or
/// backbone.
[[nodiscard]] std::shared_ptr<Network> make_network(const std::string& name, const std::string& backbone);

}  // namespace steadyiqa::models
