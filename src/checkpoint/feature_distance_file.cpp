#include "checkpoint/feature_distance_file.h"

#include "base/error.h"
#include "checkpoint/checkpoint_file.h"
#include "checkpoint/network_tensors.h"

#include <torch/torch.h>

#include <string>

namespace steadyiqa::checkpoint {
namespace {

/// torchvision's name of a trunk's tensor, "features.28.weight" of "net.slice5.28.weight"; "" for the distance's own.
std::string torchvision_name(const std::string& name) {
  if (!name.starts_with("net.slice") && !name.starts_with("stage")) {
    return "";
  }
  const auto layer = name.rfind('.', name.rfind('.') - 1);
  return "features" + name.substr(layer);
}

std::shared_ptr<models::FeatureDistance> make(FeatureDistanceKind kind, const TensorMap& file) {
  if (kind == FeatureDistanceKind::kDists) {
    return models::make_dists();
  }
  constexpr std::int64_t kAlexNetWidth = 192;
  const auto lin = file.find("lin1.model.1.weight");
  const bool alexnet = lin != file.end() && lin->second.dim() > 1 && lin->second.size(1) == kAlexNetWidth;
  return models::make_lpips(alexnet ? models::LpipsTrunk::kAlexNet : models::LpipsTrunk::kVgg16);
}

/// That no sum of these weights is a distance below 0, or none at all.
void require_weights(FeatureDistanceKind kind, const TensorMap& state, const std::string& where) {
  if (kind == FeatureDistanceKind::kDists) {
    if ((state.at("alpha").sum() + state.at("beta").sum()).item<double>() <= 0) {
      fail_input("{}: alpha and beta have no positive sum", where);
    }
    return;
  }
  for (const auto& [name, tensor] : state) {
    if (name.starts_with("lin") && tensor.min().item<double>() < 0) {
      fail_input("{}: tensor {} holds negative weights", where, name);
    }
  }
}

}  // namespace

std::shared_ptr<models::FeatureDistance> load_feature_distance(FeatureDistanceKind kind,
                                                               const std::filesystem::path& weights,
                                                               const std::filesystem::path& trunk) {
  const auto file = read_checkpoint(weights).tensors;
  const auto trunk_file = trunk.empty() ? TensorMap() : read_checkpoint(trunk).tensors;
  const auto where = trunk.empty() ? weights.string() : weights.string() + " and " + trunk.string();
  auto distance = make(kind, file);
  const auto state = network_tensors(*distance);
  TensorMap chosen;
  for (const auto& [name, tensor] : state) {
    const auto there = torchvision_name(name);
    const auto& source = trunk.empty() || there.empty() ? file : trunk_file;
    const auto found = source.find(&source == &file ? name : there);
    if (found != source.end()) {
      chosen.emplace(name, found->second);
    } else if (!there.empty() && trunk.empty()) {
      fail_input(
          "{}: holds no tensor {}: a file of the whole module, or torchvision's trunk beside this one, is needed",
          where, name);
    }
  }
  set_network_tensors(*distance, chosen, where);
  require_weights(kind, state, where);
  for (auto& parameter : distance->parameters()) {
    parameter.requires_grad_(false);
  }
  models::use_run_layout(*distance);
  return distance;
}

}  // namespace steadyiqa::checkpoint
