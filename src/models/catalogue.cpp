#include "models/catalogue.h"

#include "base/error.h"
#include "base/text.h"
#include "models/compact.h"
#include "models/dbcnn.h"
#include "models/hyperiqa.h"
#include "models/korhonen.h"
#include "models/linearityiqa.h"

#include <torch/torch.h>

#include <algorithm>

namespace steadyiqa::models {
namespace {

ModelInfo hyperiqa() {
  return {.name = "hyperiqa",
          .help = "HyperIQA: per-image target network written by a hyper-network",
          .paper = "Su et al., CVPR 2020",
          .code = "github.com/SSL92/hyperIQA",
          .code_licence = "MIT",
          .weights_licence = "none stated",
          .score_range = "about 0 to 100 (KonIQ-10k MOS_zscore), higher is better",
          .native_input = "10 or 25 random crops of 224x224 from the image resized to 384x512",
          .recipe = "L1; Adam 2e-5 (head x10), weight decay 5e-4; batch 96, 16 epochs; 25 crops of each image",
          .backbones = {"resnet50", "mobilenet_v2"},
          .crop = 224,
          .any_size = false,
          .normalisation = kImageNet,
          .make = [](const NetworkOptions& o) { return make_hyperiqa(make_backbone(o.backbone)); },
          .initialise = initialise_hyperiqa};
}

ModelInfo dbcnn() {
  return {
      .name = "dbcnn",
      .help = "DBCNN: bilinear pooling of VGG-16 and a network that knows distortions",
      .paper = "Zhang et al., IEEE TCSVT 2020",
      .code = "github.com/zwx8981/DBCNN-PyTorch",
      .code_licence = "MIT",
      .weights_licence = "MIT (the S-CNN's; the authors publish no trained DBCNN)",
      .score_range = "scale and direction of the training labels (DMOS sets: lower is better)",
      .native_input = "the whole image at its own size; training crops of 432 (LIVE) or 448 (LIVEC)",
      .recipe =
          "MSE; last layer: SGD 1e-3, momentum 0.9; then all: Adam 1e-5; weight decay 5e-4; batch 8, 50 epochs each",
      .backbones = {},
      .crop = 448,
      .any_size = true,
      .normalisation = kImageNet,
      .make = [](const NetworkOptions& /*o*/) { return make_dbcnn(); },
      .initialise = initialise_dbcnn};
}

ModelInfo linearityiqa() {
  return {.name = "linearityiqa",
          .help = "LinearityIQA: two levels of a trunk, trained by the norm-in-norm loss",
          .paper = "Li, Jiang, Jiang, ACM MM 2020",
          .code = "github.com/lidq92/LinearityIQA",
          .code_licence = "none stated (the README shows an MIT badge, no licence file)",
          .weights_licence = "none stated",
          .score_range =
              "unbounded; k q + b with the file's k, b is about 0 to 100 (KonIQ-10k MOS_zscore), higher is better",
          .native_input = "the whole image resized to 664x498",
          .recipe = "norm-in-norm; Adam 1e-5 (head x10), / 10 every 10 epochs; batch 8, 30 epochs",
          .backbones = {"resnext101_32x8d", "resnet18", "resnet34", "resnet50", "mobilenet_v2"},
          .crop = 498,
          .any_size = true,
          .normalisation = kImageNet,
          .make = [](const NetworkOptions& o) { return make_linearityiqa(make_backbone(o.backbone)); },
          .initialise = initialise_linearityiqa};
}

ModelInfo maniqa() {
  return {.name = "maniqa",
          .help = "MANIQA: attention over channels and windows on the maps of a ViT-B/8",
          .paper = "Yang et al., CVPR Workshops 2022",
          .code = "github.com/IIGROUP/MANIQA",
          .code_licence = "Apache-2.0",
          .weights_licence = "none stated (released beside the Apache-2.0 code)",
          .score_range = "about 0 to 1 (min-max of the labels), never negative, higher is better",
          .native_input = "20 random crops of 224x224 at the image's own size",
          .recipe = "MSE on min-max labels; Adam 1e-5, weight decay 1e-5, cosine of 50 steps; batch 8, 300 epochs",
          .backbones = {},
          .crop = 224,
          .any_size = false,
          .has_swin_scale = true,
          .normalisation = {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}},
          .make = [](const NetworkOptions& o) { return make_maniqa(o.swin_scale); },
          .initialise = initialise_maniqa};
}

ModelInfo korhonen() {
  return {.name = "korhonen",
          .help = "Korhonen and You's surrogate: a trunk, its mean, one linear layer; to make attacks on",
          .paper = "Korhonen, You, QoEVMA 2022",
          .code = "github.com/jarikorhonen/adversarial-iqa (MATLAB)",
          .code_licence = "none stated",
          .weights_licence = "no weights published",
          .score_range = "0 to 1 (labels / 100), higher is better",
          .native_input = "the whole image at 512x384",
          .recipe =
              "half MSE on labels / 100; SGD with momentum 5e-4 (head x2, lower layers x0.25 to 0.75), weight "
              "decay 0.01; batch 16, 2 epochs",
          .backbones = {"resnet50", "mobilenet_v2"},
          .crop = 384,
          .any_size = true,
          .unit_score = true,
          .normalisation = kImageNet,
          .make = [](const NetworkOptions& o) { return make_korhonen(make_backbone(o.backbone)); },
          .initialise = initialise_korhonen};
}

ModelInfo compact() {
  return {.name = "compact",
          .help = "small convolutional regressor for demonstrations and tests",
          .paper = "none",
          .code = "this project",
          .code_licence = "as this project",
          .weights_licence = "no weights published",
          .score_range = "scale and direction of the training labels",
          .native_input = "crops of 96x96",
          .recipe = "any",
          .backbones = {},
          .crop = 96,
          .any_size = true,
          .normalisation = kImageNet,
          .make = [](const NetworkOptions& /*o*/) { return make_compact(); },
          .initialise = initialise_compact};
}

const std::vector<ModelInfo>& table() {
  static const std::vector<ModelInfo> kTable = {hyperiqa(), dbcnn(), linearityiqa(), maniqa(), korhonen(), compact()};
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

std::string resolve_backbone(const ModelInfo& info, const std::string& backbone) {
  return backbone.empty() && !info.backbones.empty() ? info.backbones.front() : backbone;
}

std::shared_ptr<Network> make_network(const std::string& name, const std::string& backbone, double swin_scale) {
  const auto& info = find_model(name);
  const bool known =
      backbone.empty() || std::find(info.backbones.begin(), info.backbones.end(), backbone) != info.backbones.end();
  if (!known) {
    fail_usage("model '{}' has no backbone '{}'{}", name, backbone, suggestion(backbone, info.backbones));
  }
  auto network = info.make({resolve_backbone(info, backbone), swin_scale});
  use_run_layout(*network);
  return network;
}

}  // namespace steadyiqa::models
