#include "checkpoint/key_maps.h"

#include <algorithm>
#include <array>

namespace steadyiqa::checkpoint {
namespace {

/// A key that must be there, with its shape where names alone do not tell.
struct Key {
  const char* name;
  std::vector<std::int64_t> shape{};
};
struct Signature {
  Detected detected;
  std::vector<Key> keys;
};

/// The first row that fits wins: deeper networks stand before those whose keys they hold, too.
/// Sources: SSL92/hyperIQA, zwx8981/DBCNN-PyTorch, lidq92/LinearityIQA, IIGROUP/MANIQA, chaofengc/IQA-PyTorch;
/// torchvision and timm for the parts.
const std::vector<Signature>& signatures() {
  static const std::vector<Signature> kTable = {
      {{"HyperIQA", "hyperiqa", "resnet50"}, {{"fc5w_fc.weight"}, {"res.layer1.0.conv1.weight"}}},
      {{"HyperIQA on MobileNetV2", "hyperiqa", "mobilenet_v2"}, {{"fc5w_fc.weight"}, {"res.features.0.0.weight"}}},
      {{"HyperIQA (pyiqa)", "hyperiqa", "resnet50", Origin::kPyiqa},
       {{"fc_w_modules.0.weight"}, {"base_model.layer1.0.conv1.weight"}}},
      {{"DBCNN", "dbcnn", ""}, {{"features2.24.weight"}, {"fc.weight", {1, 65536}}}},
      {{"LinearityIQA on ResNeXt-101", "linearityiqa", "resnext101_32x8d"},
       {{"dr6.0.weight"}, {"features.4.0.conv2.weight", {256, 8, 3, 3}}, {"features.6.22.conv3.weight"}}},
      {{"LinearityIQA on ResNet-50", "linearityiqa", "resnet50"},
       {{"dr6.0.weight"}, {"features.4.0.conv2.weight", {64, 64, 3, 3}}, {"features.6.5.conv3.weight"}}},
      {{"LinearityIQA on ResNet-34", "linearityiqa", "resnet34"}, {{"dr6.0.weight"}, {"features.6.5.conv2.weight"}}},
      {{"LinearityIQA on ResNet-18", "linearityiqa", "resnet18"}, {{"dr6.0.weight"}, {"features.6.1.conv2.weight"}}},
      {{"MANIQA", "maniqa", ""}, {{"tablock1.0.c_q.weight"}}},
      // Parts.
      {{"S-CNN (DBCNN's second trunk)", "", ""}, {{"features.24.weight", {128, 128, 3, 3}}, {"projection.0.weight"}}},
      {{"VGG-16 (torchvision)", "", ""}, {{"features.28.weight", {512, 512, 3, 3}}, {"features.26.weight"}}},
      {{"ResNeXt-101 32x8d (torchvision)", "", ""},
       {{"layer1.0.conv2.weight", {256, 8, 3, 3}}, {"layer3.22.conv3.weight"}}},
      {{"ResNet-101 (torchvision)", "", ""}, {{"layer1.0.conv1.weight"}, {"layer3.22.conv3.weight"}}},
      {{"ResNet-50 (torchvision)", "", ""}, {{"layer1.0.conv1.weight"}, {"layer3.5.conv3.weight"}}},
      {{"ResNet-34 (torchvision)", "", ""}, {{"layer1.0.conv1.weight"}, {"layer3.5.conv2.weight"}}},
      {{"ResNet-18 (torchvision)", "", ""}, {{"layer1.0.conv1.weight"}, {"layer4.1.conv2.weight"}}},
      {{"MobileNetV2 (torchvision)", "", ""}, {{"features.1.conv.0.0.weight"}, {"features.18.0.weight"}}},
      {{"ViT-B/8 (timm)", "", ""}, {{"blocks.11.attn.qkv.weight"}, {"patch_embed.proj.weight", {768, 3, 8, 8}}}},
  };
  return kTable;
}

using Renames = std::vector<std::pair<std::string_view, std::string_view>>;

/// pyiqa's HyperIQA; what is not listed has the same name. IQA-PyTorch pyiqa/archs/hypernet_arch.py.
const Renames& pyiqa_hyperiqa() {
  static const Renames kTable = {
      {"base_model.", "res."},
      {"lda_modules.0.0.", "res.lda1_pool.0."},
      {"lda_modules.1.0.", "res.lda2_pool.0."},
      {"lda_modules.2.0.", "res.lda3_pool.0."},
      {"lda_modules.0.3.", "res.lda1_fc."},
      {"lda_modules.1.3.", "res.lda2_fc."},
      {"lda_modules.2.3.", "res.lda3_fc."},
      {"lda_modules.3.2.", "res.lda4_fc."},
      {"fc_w_modules.0.", "fc1w_conv."},
      {"fc_w_modules.1.", "fc2w_conv."},
      {"fc_w_modules.2.", "fc3w_conv."},
      {"fc_w_modules.3.", "fc4w_conv."},
      {"fc_w_modules.4.2.", "fc5w_fc."},
      {"fc_b_modules.0.2.", "fc1b_fc."},
      {"fc_b_modules.1.2.", "fc2b_fc."},
      {"fc_b_modules.2.2.", "fc3b_fc."},
      {"fc_b_modules.3.2.", "fc4b_fc."},
      {"fc_b_modules.4.2.", "fc5b_fc."},
  };
  return kTable;
}

constexpr std::array<std::string_view, 3> kOptionalEndings = {"num_batches_tracked", "attn_mask",
                                                              "relative_position_index"};

bool all_start_with(const std::vector<std::string>& names, std::size_t skip, std::string_view prefix) {
  return !names.empty() && std::all_of(names.begin(), names.end(), [&](const auto& name) {
    return name.size() > skip + prefix.size() && name.compare(skip, prefix.size(), prefix) == 0;
  });
}

}  // namespace

std::optional<Detected> detect_model(const std::map<std::string, TensorInfo>& tensors) {
  const auto has = [&](const Key& key) {
    const auto found = tensors.find(key.name);
    return found != tensors.end() && (key.shape.empty() || key.shape == found->second.shape);
  };
  for (const auto& row : signatures()) {
    if (std::all_of(row.keys.begin(), row.keys.end(), has)) {
      return row.detected;
    }
  }
  return std::nullopt;
}

std::size_t common_prefix(const std::vector<std::string>& names, std::vector<std::string>& wrapping) {
  std::size_t skip = 0;
  const auto strip = [&](std::string_view prefix) {
    if (!all_start_with(names, skip, prefix)) {
      return false;
    }
    skip += prefix.size();
    wrapping.emplace_back(prefix);
    return true;
  };
  while (strip("module.")) {
  }
  strip("model.");
  return skip;
}

std::string own_name(Origin origin, const std::string& name) {
  if (origin == Origin::kPyiqa) {
    for (const auto& [from, to] : pyiqa_hyperiqa()) {
      if (name.starts_with(from)) {
        return std::string(to) + name.substr(from.size());
      }
    }
  }
  return name;
}

bool is_optional(std::string_view name) {
  return std::any_of(kOptionalEndings.begin(), kOptionalEndings.end(), [&](std::string_view ending) {
    return name == ending || (name.ends_with(ending) && name[name.size() - ending.size() - 1] == '.');
  });
}

std::vector<PartRule> part_rules(const std::string& trunk_prefix) {
  std::vector<PartRule> rules = {
      {"HyperIQA's trunk", {{"", "res."}}, "res.lda"},
      {"DBCNN's VGG-16", {{"features.", "features1."}}},
      {"DBCNN's S-CNN", {{"features.", "features2."}}},
      {"LinearityIQA's trunk",
       {{"conv1.", "features.0."},
        {"bn1.", "features.1."},
        {"layer1.", "features.4."},
        {"layer2.", "features.5."},
        {"layer3.", "features.6."},
        {"layer4.", "features.7."}}},
      {"MANIQA's ViT", {{"", "vit."}}},
  };
  if (!trunk_prefix.empty()) {
    rules.push_back({"the trunk", {{trunk_prefix, trunk_prefix}}});
    rules.push_back({"the trunk", {{"", trunk_prefix}}});
  }
  return rules;
}

}  // namespace steadyiqa::checkpoint
