#include "models/catalogue.h"

#include "base/error.h"
#include "base/text.h"
#include "models/compact.h"
#include "models/hyperiqa.h"

#include <torch/torch.h>

#include <algorithm>

namespace steadyiqa::models {
namespace {

std::shared_ptr<Network> make_hyperiqa_named(const std::string& backbone) {
  return make_hyperiqa(backbone == "mobilenet_v2" ? make_mobilenet_v2() : make_resnet50());
}

std::shared_ptr<Network> make_compact_named(const std::string& /*backbone*/) { return make_compact(); }

const std::vector<ModelInfo>& table() {
  static const std::vector<ModelInfo> kTable = {
      {.name = "hyperiqa",
       .help = "HyperIQA: per-image target network written by a hyper-network",
       .source = "Su et al., CVPR 2020; SSL92/hyperIQA (MIT)",
       .backbones = {"resnet50", "mobilenet_v2"},
       .crop = 224,
       .any_size = false,
       .normalisation = kImageNet,
       .make = make_hyperiqa_named,
       .initialise = initialise_hyperiqa},
      {.name = "compact",
       .help = "small convolutional regressor for demonstrations and tests",
       .source = "this project",
       .backbones = {},
       .crop = 96,
       .any_size = true,
       .normalisation = kImageNet,
       .make = make_compact_named,
       .initialise = initialise_compact},
  };
  return kTable;
}

}  // namespace

std::span<const ModelInfo> model_catalogue() { return table(); }

const ModelInfo& find_model(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& info : table()) {
    if (info.name == name) {
      return info;
    }
    names.push_back(info.name);
  }
  fail_usage("unknown model '{}'{}", name, suggestion(name, names));
}

std::shared_ptr<Network> make_network(const std::string& name, const std::string& backbone) {
  const auto& info = find_model(name);
  const bool known =
      backbone.empty() || std::find(info.backbones.begin(), info.backbones.end(), backbone) != info.backbones.end();
  if (!known) {
    fail_usage("model '{}' has no backbone '{}'{}", name, backbone, suggestion(backbone, info.backbones));
  }
  auto network = info.make(backbone.empty() && !info.backbones.empty() ? info.backbones.front() : backbone);
  use_run_layout(*network);
  return network;
}

}  // namespace steadyiqa::models
