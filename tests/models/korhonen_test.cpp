#include "models/korhonen.h"

#include "base/digest.h"
#include "base/temp_folder.h"
#include "checkpoint/checkpoint_file.h"
#include "checkpoint/model_file.h"
#include "models/compat.h"
#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

// All values: make_korhonen_values.py.
TEST(Korhonen, HasTorchvisionsNamesAndShapes) {
  struct Known {
    const char* backbone;
    std::size_t entries;
    const char* digest;
  };
  for (const auto& known :
       {Known{"resnet50", 320, "667ad110844ee2d60165144e48379fb027178f1977933cb9e5ff97b2c409a65d"},
        {"mobilenet_v2", 314, "3b55b154286526a55a4550332f8f4c267adfa423556a975de54cada6a3a1befb"}}) {
    const auto network = make_network("korhonen", known.backbone);
    EXPECT_EQ(state_entries(*network).size(), known.entries) << known.backbone;
    EXPECT_EQ(sha256_hex(name_and_shape_lines(*network, true)), known.digest) << known.backbone;
  }
}

TEST(Korhonen, ScoresAsTheSameNetworkInPyTorch) {
  const torch::NoGradGuard no_grad;
  const auto resnet = hash_network("korhonen");
  expect_values(resnet->forward(hash_input(9999, 2, 96, 128)), {0.9074269415789115, 0.9108571510053869}, 1e-5);
  expect_values(resnet->forward(hash_input(7, 1, 65, 97)), {0.8963519332920193}, 1e-5);
  const auto mobilenet = hash_network("korhonen", "mobilenet_v2");
  const auto x = hash_input(9999, 2, 96, 128);
  expect_values(mobilenet->forward(x), {0.4986905678970183, 0.4997227981204488}, 1e-5);
  expect_values(mobilenet->forward(x.slice(0, 1)), {0.4997227981204488}, 1e-5);
  expect_values(mobilenet->forward(hash_input(7, 1, 65, 97)), {0.5008609206664506}, 1e-5);
}

TEST(Korhonen, HasAnInputGradient) {
  expect_usable_gradient(*hash_network("korhonen", "mobilenet_v2"), hash_input(7, 2, 65, 97));
}

TEST(Korhonen, DropsAQuarterOfTheFeaturesInTraining) {
  const torch::NoGradGuard no_grad;
  const auto network = hash_network("korhonen", "mobilenet_v2");
  auto parameters = network->named_parameters();
  parameters["head.weight"].fill_(1);
  parameters["head.bias"].zero_();
  // With every feature at 0.001, the logit is the sum of what is kept, over 0.75.
  for (const char* name : {"trunk.features.18.1.weight", "trunk.features.18.1.bias"}) {
    parameters[name].fill_(std::string(name).ends_with("bias") ? 0.001 : 0);
  }
  const auto logit = [&] { return torch::logit(network->forward(hash_input(7, 1, 64, 64)).to(torch::kFloat64)); };
  EXPECT_NEAR(logit().item<double>(), 1.28, 1e-5);
  network->train();
  const FrozenBatchNorm frozen(*network);
  torch::manual_seed(1);
  const double first = logit().item<double>();
  const double second = logit().item<double>();
  EXPECT_NE(first, second);
  for (const double value : {first, second}) {
    const double kept = value * 0.75 / 0.001;
    EXPECT_NEAR(kept, std::round(kept), 0.05);  // whole features
    EXPECT_NEAR(kept, 960, 5 * std::sqrt(1280 * 0.75 * 0.25));
  }
  torch::manual_seed(1);
  EXPECT_EQ(logit().item<double>(), first);
}

TEST(Korhonen, BeginsNearTheMiddle) {
  const torch::NoGradGuard no_grad;
  const auto network = make_network("korhonen", "mobilenet_v2");
  find_model("korhonen").initialise(*network, 3);
  EXPECT_EQ(network->named_parameters()["head.bias"].item<double>(), 0);
  EXPECT_NEAR(network->named_parameters()["head.weight"].std().item<double>(), 0.02, 0.002);
  network->eval();
  EXPECT_NEAR(network->forward(hash_input(7, 1, 64, 64)).item<double>(), 0.5, 0.2);
}

class KorhonenFile : public steadyiqa::testing::TempFolder {};

TEST_F(KorhonenFile, KeepsItsScoresAndTakesATorchvisionTrunk) {
  const torch::NoGradGuard no_grad;
  auto options = published_options("korhonen", "mobilenet_v2", Compat::kOurs);
  options.scale = {"MOS 0-100 of a test", {84.5, 3.9}, true};
  const Scorer scorer(hash_network("korhonen", "mobilenet_v2"), options);
  const auto path = folder() / "surrogate.safetensors";
  checkpoint::save_model(path, scorer, {});
  const auto loaded = checkpoint::load_model(path);
  const auto pixels = hash_pixels(8, 1, 40, 50);
  EXPECT_TRUE(torch::equal(loaded.scorer.score(pixels), scorer.score(pixels)));
  EXPECT_EQ(preprocessing_text(loaded.scorer.options()), "resize short:384 pillow-bilinear, whole image");

  checkpoint::SafetensorsFile trunk;  // as torchvision's state_dict: "features.0.0.weight", ...
  const std::string prefix = "trunk.";
  for (const auto& [name, tensor] : state_entries(scorer.network())) {
    if (name.starts_with(prefix)) {
      trunk.tensors[name.substr(prefix.size())] = tensor.detach();
    }
  }
  checkpoint::write_safetensors(folder() / "trunk.safetensors", trunk);
  const auto fresh = make_network("korhonen", "mobilenet_v2");
  EXPECT_EQ(checkpoint::load_initial(*fresh, (folder() / "trunk.safetensors").string()), checkpoint::Initial::kTrunk);
  EXPECT_TRUE(torch::equal(fresh->named_parameters()["trunk.features.18.0.weight"],
                           scorer.network().named_parameters()["trunk.features.18.0.weight"]));
}

}  // namespace
}  // namespace steadyiqa::models
