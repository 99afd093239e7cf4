#include "models/conv_norm.h"

#include "models/backbones.h"
#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <map>
#include <string>

namespace steadyiqa::models {
namespace {

/// In float64, where two ways of computing the same are told from a mistake; hash weights have statistics of their own.
template <class Module>
std::shared_ptr<Module> in_float64(std::shared_ptr<Module> module) {
  fill_hash_weights(*module);
  module->to(torch::kFloat64);
  module->eval();
  return module;
}

bool close(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).abs().max() <= 1e-12 * a.abs().max()).item<bool>();
}

/// Whether no BatchNorm is left out.
bool folds_all(const torch::nn::Module& module) {
  const auto modules = module.modules();
  return std::ranges::none_of(
      modules, [](const auto& child) { return child->template as<torch::nn::BatchNorm2d>() != nullptr; });
}

// Values, statistics and gradients bit by bit.
TEST(ConvNorm, IsLibtorchsBatchNorm) {
  torch::nn::Conv2d conv(torch::nn::Conv2dOptions(3, 8, 3));
  ConvNorm norm(conv);
  torch::nn::BatchNorm2d reference(8);
  EXPECT_EQ(name_and_shape_lines(*norm, true), name_and_shape_lines(*reference, true));
  EXPECT_EQ(norm->named_parameters().keys(), reference->named_parameters().keys());
  fill_hash_weights(*norm);
  fill_hash_weights(*reference);
  const auto x = conv(hash_input(3, 2, 12, 12)).detach();
  for (const bool training : {true, false}) {
    norm->train(training);
    reference->train(training);
    auto a = x.clone().requires_grad_(true);
    auto b = x.clone().requires_grad_(true);
    EXPECT_TRUE(torch::equal(norm(a), reference(b)));
    norm(a).square().sum().backward();
    reference(b).square().sum().backward();
    EXPECT_TRUE(torch::equal(a.grad(), b.grad()));
    EXPECT_TRUE(torch::equal(norm->parameters()[0].grad(), reference->parameters()[0].grad()));
    for (const auto& [name, tensor] : state_entries(*norm)) {
      EXPECT_TRUE(torch::equal(tensor, state_copy(*reference).at(name))) << name;
    }
  }
}

// Against the network unfolded. DBCNN's convolutions have biases.
TEST(FoldedBatchNorm, GivesTheSameFeaturesAndInputGradient) {
  const auto x = hash_input(5, 2, 64, 64).to(torch::kFloat64);
  for (const char* name : {"mobilenet_v2", "resnet18", "resnet50"}) {
    const auto trunk = in_float64(make_backbone(name));
    EXPECT_TRUE(folds_all(*trunk)) << name;
    const auto last = [&](const torch::Tensor& at) { return trunk->forward(at)[3].square().mean({1, 2, 3}); };
    const auto before = trunk->forward(x);
    const auto gradient = input_gradient(last, x).gradient;
    const FoldedBatchNorm folded(*trunk);
    const auto after = trunk->forward(x);
    for (std::size_t tap = 0; tap < before.size(); ++tap) {
      EXPECT_TRUE(close(before.at(tap), after.at(tap))) << name << " " << tap;
      EXPECT_FALSE(torch::equal(before.at(tap), after.at(tap))) << name << " " << tap;  // it was folded
    }
    EXPECT_TRUE(close(gradient, input_gradient(last, x).gradient)) << name;
  }
  for (const char* name : {"dbcnn", "compact"}) {
    const auto network = in_float64(make_network(name, ""));
    EXPECT_TRUE(folds_all(*network)) << name;
    const auto before = network->forward(x);
    const FoldedBatchNorm folded(*network);
    EXPECT_TRUE(close(before, network->forward(x))) << name;
  }
}

bool gradient_arrived(const torch::Tensor& tensor) {
  return tensor.grad().defined() && (tensor.grad() != 0).any().item<bool>();
}

TEST(FoldedBatchNorm, LeavesTheNetworkAsItWas) {
  const auto network = compact_network();
  const auto x = hash_input(3, 4, 32, 32);
  network->forward(x);  // statistics other than the initial 0 and 1
  network->eval();
  const auto state = state_copy(*network);
  const auto score = network->forward(x);
  for (const bool grad_mode : {true, false}) {
    network->zero_grad();
    {
      const torch::AutoGradMode mode(grad_mode);
      const FoldedBatchNorm folded(*network);
      const torch::AutoGradMode enable(true);
      network->forward(x).sum().backward();
    }
    for (const auto& [name, tensor] : state_entries(*network)) {
      EXPECT_TRUE(torch::equal(tensor, state.at(name))) << name;
      const bool folded_in = !name.starts_with("head.");
      const bool buffer = !tensor.requires_grad();
      EXPECT_EQ(gradient_arrived(tensor), !buffer && (grad_mode || !folded_in)) << name;
    }
  }
  EXPECT_TRUE(torch::equal(network->forward(x), score));
  network->zero_grad();
  network->forward(x).sum().backward();
  EXPECT_TRUE(gradient_arrived(network->named_parameters()["features.0.0.weight"]));
}

// Against the network unfolded, BatchNorm in eval mode.
TEST(FoldedBatchNorm, MadeInGradModeGivesTheParametersTheSameGradients) {
  const auto x = hash_input(5, 2, 64, 64).to(torch::kFloat64);
  for (const char* name : {"mobilenet_v2", "resnet18"}) {
    const auto trunk = in_float64(make_backbone(name));
    const auto gradients = [&] {
      trunk->zero_grad();
      trunk->forward(x)[3].square().mean().backward();
      std::map<std::string, torch::Tensor> copies;
      for (const auto& item : trunk->named_parameters()) {
        copies[item.key()] = item.value().grad().clone();
      }
      return copies;
    };
    const auto expected = gradients();
    const FoldedBatchNorm folded(*trunk);
    for (const auto& [parameter, gradient] : gradients()) {
      EXPECT_TRUE(
          ((gradient - expected.at(parameter)).abs().max() <= 1e-10 * expected.at(parameter).abs().max()).item<bool>())
          << name << " " << parameter;
    }
  }
}

TEST(FoldedBatchNorm, ASecondOneChangesNothing) {
  const auto network = compact_network();
  network->eval();
  const auto x = hash_input(3, 2, 32, 32);
  const auto score = network->forward(x);
  {
    const FoldedBatchNorm outer(*network);
    const auto folded = network->forward(x);
    {
      const FoldedBatchNorm inner(*network);
      EXPECT_TRUE(torch::equal(network->forward(x), folded));
    }
    EXPECT_TRUE(torch::equal(network->forward(x), folded));
  }
  EXPECT_TRUE(torch::equal(network->forward(x), score));
}

TEST(FoldedBatchNorm, RefusesBatchStatistics) {
  const auto network = compact_network();
  network->train();
  EXPECT_DEATH({ const FoldedBatchNorm folded(*network); }, "eval mode");
}

TEST(UnfoldedBatchNorm, ShowsTheLayersAndFoldsThemAnew) {
  const torch::NoGradGuard no_grad;
  const auto trunk = in_float64(make_mobilenet_v2());
  const auto x = hash_input(5, 1, 32, 32).to(torch::kFloat64);
  const auto plain = trunk->forward(x)[3];
  const FoldedBatchNorm folding(*trunk);
  const auto folded = trunk->forward(x)[3];
  const auto norm_bias = trunk->named_parameters()["features.18.1.bias"];
  {
    const UnfoldedBatchNorm layers(*trunk);
    EXPECT_TRUE(torch::equal(trunk->forward(x)[3], plain));
    norm_bias.add_(1);
    EXPECT_FALSE(torch::equal(trunk->forward(x)[3], plain));
    norm_bias.sub_(1);
  }
  EXPECT_TRUE(torch::equal(trunk->forward(x)[3], folded));
  norm_bias.add_(1);  // folded again: its layers are not looked at
  EXPECT_TRUE(torch::equal(trunk->forward(x)[3], folded));
}

}  // namespace
}  // namespace steadyiqa::models
