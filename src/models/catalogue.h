// The models there are: one explicit table.
#pragma once

#include "models/maniqa.h"
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

/// What a network is built from.
struct NetworkOptions {
  std::string backbone{};          ///< "" = the paper's
  double swin_scale = kSwinScale;  ///< of models with a Swin stage: weight of a layer beside its input
};

/// Facts and functions of one model. Licences are those that the authors state, "none stated" where they do not.
struct ModelInfo {
  std::string name;
  std::string help;
  std::string paper;
  std::string code;  ///< the authors' repository
  std::string code_licence;
  std::string weights_licence;
  std::string score_range;             ///< of the network's output with the authors' weights, and its direction
  std::string native_input;            ///< what the authors feed it
  std::string recipe;                  ///< how the authors train it
  std::vector<std::string> backbones;  ///< the first is the paper's; empty = the model has none to choose
  int crop = 224;                      ///< side of the network's input in training and scoring, pixels
  bool any_size = false;               ///< other crop sides work, too
  bool has_swin_scale = false;         ///< NetworkOptions::swin_scale matters
  bool unit_score = false;             ///< its output cannot leave 0-1: it must learn labels of 0-1
  Normalisation normalisation{};
  std::shared_ptr<Network> (*make)(const NetworkOptions& options);
  void (*initialise)(Network& network, std::uint64_t seed);
};

[[nodiscard]] std::span<const ModelInfo> model_catalogue();
/// Throws Error(kUsage) for an unknown name, with the nearest.
[[nodiscard]] const ModelInfo& find_model(const std::string& name);
/// The named network, weights not yet set. backbone "" = the paper's. Throws Error(kUsage) for an unknown name or
/// backbone.
[[nodiscard]] std::shared_ptr<Network> make_network(const std::string& name, const std::string& backbone,
                                                    double swin_scale = kSwinScale);
/// The backbone that `backbone` stands for: itself, or the paper's for "".
[[nodiscard]] std::string resolve_backbone(const ModelInfo& info, const std::string& backbone);

}  // namespace steadyiqa::models
