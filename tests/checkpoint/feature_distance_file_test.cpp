#include "checkpoint/feature_distance_file.h"

#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "checkpoint/network_tensors.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch_writer.h"
#include "models/hash_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>

namespace steadyiqa::checkpoint {
namespace {

using models::FeatureDistance;
using steadyiqa::testing::error_message;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// Its tensors, each with values of its own, none negative.
TensorMap hash_state(FeatureDistance& distance) {
  models::fill_hash_weights(distance);
  TensorMap state;
  for (const auto& [name, tensor] : network_tensors(distance)) {
    state.emplace(name, tensor.abs());
  }
  return state;
}

TensorMap alexnet_state() { return hash_state(*models::make_lpips(models::LpipsTrunk::kAlexNet)); }

void expect_state(const FeatureDistance& distance, const TensorMap& expected) {
  const auto state = network_tensors(distance);
  ASSERT_EQ(state.size(), expected.size());
  for (const auto& [name, tensor] : state) {
    EXPECT_TRUE(torch::equal(tensor, expected.at(name))) << name;
  }
  for (const auto& parameter : distance.parameters()) {
    EXPECT_FALSE(parameter.requires_grad());
  }
}

class FeatureDistanceFile : public steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] std::filesystem::path write(const std::string& name, const TensorMap& tensors) const {
    auto path = folder() / name;
    if (path.extension() == ".pth") {
      write_torch_zip(path, tensors, {});
    } else {
      write_safetensors(path, {.tensors = tensors, .metadata = {}});
    }
    return path;
  }
  /// The distance's own part of `state`, and its trunk under torchvision's names with a classifier, as two files are
  /// published: lpips/weights/v0.1/alex.pth, DISTS_pytorch/weights.pt; alexnet-owt-7be5be79.pth, vgg16-397923af.pth.
  struct Parts {
    TensorMap own;
    TensorMap trunk;
  };
  static Parts parts_of(const TensorMap& state) {
    Parts parts{{}, {{"classifier.6.weight", torch::zeros({3, 4})}}};
    for (const auto& [name, tensor] : state) {
      const bool own = name.starts_with("lin") || name == "alpha" || name == "beta";
      // "net.slice5.10.bias": from the first digit behind the second-last dot
      const auto layer = own ? 0 : name.rfind('.', name.rfind('.') - 1) + 1;
      (own ? parts.own : parts.trunk).emplace(own ? name : "features." + name.substr(layer), tensor);
    }
    return parts;
  }
  static std::shared_ptr<FeatureDistance> lpips(const std::filesystem::path& weights,
                                                const std::filesystem::path& trunk = {}) {
    return load_feature_distance(FeatureDistanceKind::kLpips, weights, trunk);
  }
};

TEST_F(FeatureDistanceFile, HoldsTheWholeModuleInAnyContainer) {
  const auto state = alexnet_state();
  auto whole = state;  // as lpips.LPIPS(net='alex').state_dict() has it besides
  whole["scaling_layer.shift"] = torch::zeros({1, 3, 1, 1});
  whole["scaling_layer.scale"] = torch::ones({1, 3, 1, 1});
  whole["lins.0.model.1.weight"] = state.at("lin0.model.1.weight").clone();
  expect_state(*lpips(write("lpips.safetensors", whole)), state);
  expect_state(*lpips(write("lpips.pth", whole)), state);
}

TEST_F(FeatureDistanceFile, MayTakeTheTrunkFromTorchvisionsFile) {
  const auto lpips_state = alexnet_state();
  auto parts = parts_of(lpips_state);
  expect_state(*lpips(write("lin.pth", parts.own), write("alexnet.pth", parts.trunk)), lpips_state);
  const auto dists_state = hash_state(*models::make_dists());
  parts = parts_of(dists_state);
  const auto vgg = write("vgg16.safetensors", parts.trunk);
  expect_state(*load_feature_distance(FeatureDistanceKind::kDists, write("weights.pth", parts.own), vgg), dists_state);
  // On VGG-16, too, told by the width of lin1.
  TensorMap lins;
  std::int64_t index = 0;
  for (const std::int64_t width : {64, 128, 256, 512, 512}) {
    lins["lin" + std::to_string(index++) + ".model.1.weight"] = torch::rand({1, width, 1, 1});
  }
  const auto state = network_tensors(*lpips(write("lin.safetensors", lins), vgg));
  EXPECT_TRUE(torch::equal(state.at("net.slice5.28.weight"), dists_state.at("stage5.28.weight")));
  // Weights whose mean is none.
  parts.own["alpha"] = -parts.own["beta"];
  EXPECT_THAT(error_message(ErrorKind::kInput,
                            [&] {
                              static_cast<void>(load_feature_distance(FeatureDistanceKind::kDists,
                                                                      write("none.pth", parts.own), vgg));
                            }),
              AllOf(HasSubstr("none.pth"), HasSubstr("alpha and beta")));
}

TEST_F(FeatureDistanceFile, IsRefusedByName) {
  const auto state = alexnet_state();
  const auto parts = parts_of(state);
  const auto trunk = write("alexnet.pth", parts.trunk);
  const auto refused = [](const std::filesystem::path& weights, const std::filesystem::path& beside) {
    return error_message(ErrorKind::kInput, [&] { static_cast<void>(lpips(weights, beside)); });
  };
  const auto changed = [&](const std::function<void(TensorMap&)>& change) {
    auto own = parts.own;
    change(own);
    return refused(write("lin.pth", own), trunk);
  };
  const auto lin = [](TensorMap& own) -> torch::Tensor& { return own.at("lin2.model.1.weight"); };
  EXPECT_THAT(changed([](TensorMap& own) { own.erase("lin2.model.1.weight"); }),
              AllOf(HasSubstr("lin.pth and "), HasSubstr("1 missing (lin2.model.1.weight)")));
  EXPECT_THAT(changed([&](TensorMap& own) {
                lin(own) = torch::zeros({1, 383, 1, 1});
              }),
              HasSubstr("lin2.model.1.weight [1,383,1,1] for [1,384,1,1]"));
  EXPECT_THAT(changed([&](TensorMap& own) { lin(own) = torch::zeros({384}); }), HasSubstr("[384] for [1,384,1,1]"));
  EXPECT_THAT(changed([&](TensorMap& own) { lin(own) = lin(own) - 1; }),
              HasSubstr("lin2.model.1.weight holds negative"));
  EXPECT_THAT(changed([&](TensorMap& own) { lin(own) = lin(own) / 0.0; }),
              HasSubstr("lin2.model.1.weight holds values that are not finite"));
  // lin1 of no trunk that is known: VGG-16 is expected, and told apart.
  EXPECT_THAT(changed([](TensorMap& own) { own.at("lin1.model.1.weight") = torch::zeros({}); }),
              HasSubstr("lin1.model.1.weight [] for [1,128,1,1]"));
  EXPECT_THAT(refused(write("lin.pth", parts.own), {}),
              AllOf(HasSubstr("no tensor net.slice1.0.bias"), HasSubstr("torchvision")));
  EXPECT_THAT(refused(write("lin.pth", parts.own), write("lin2.pth", parts.own)), HasSubstr("10 missing (net.slice1"));
  EXPECT_THAT(refused(trunk, trunk), HasSubstr("missing (lin0.model.1.weight"));
  write_file_atomic((folder() / "text.pth").string(), "not weights");
  EXPECT_THAT(refused(folder() / "text.pth", trunk), HasSubstr("text.pth"));
  EXPECT_THAT(refused(folder() / "nowhere.pth", trunk), HasSubstr("nowhere.pth"));
}

}  // namespace
}  // namespace steadyiqa::checkpoint
