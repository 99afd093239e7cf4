#include "models/network.h"

#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <stdexcept>

namespace steadyiqa::models {
namespace {

std::vector<bool> modes(const torch::nn::Module& module) {
  std::vector<bool> flags;
  for (const auto& child : module.modules()) {
    flags.push_back(child->is_training());
  }
  return flags;
}

/// A network whose modules are in training and in eval mode by turns.
std::shared_ptr<Network> mixed_network() {
  auto network = compact_network();
  int count = 0;
  for (const auto& child : network->modules(/*include_self=*/false)) {
    if (++count % 3 == 0 && child->children().empty()) {
      child->eval();
    }
  }
  return network;
}

bool same_state(const std::map<std::string, torch::Tensor>& a, const std::map<std::string, torch::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && torch::equal(x.second, y.second);
  });
}

TEST(FrozenBatchNorm, UsesRunningStatisticsAndLeavesThemAlone) {
  const auto network = compact_network();
  const auto x = hash_input(3, 4, 32, 32);
  network->forward(x);  // statistics other than the initial 0 and 1
  const auto before = state_copy(*network);
  torch::Tensor frozen;
  {
    const FrozenBatchNorm guard(*network);
    EXPECT_FALSE(batch_norm_training(*network));
    EXPECT_TRUE(network->is_training());
    frozen = network->forward(x);
  }
  EXPECT_TRUE(same_state(before, state_copy(*network)));
  EXPECT_TRUE(batch_norm_training(*network));
  network->eval();
  EXPECT_TRUE(torch::equal(frozen, network->forward(x)));
  network->train();
  network->forward(x);
  EXPECT_FALSE(same_state(before, state_copy(*network)));
}

TEST(FrozenBatchNorm, RestoresEveryFlagAlsoAfterAnException) {
  const auto network = mixed_network();
  const auto before = modes(*network);
  {
    const FrozenBatchNorm guard(*network);
    EXPECT_NE(modes(*network), before);
  }
  EXPECT_EQ(modes(*network), before);
  try {
    const FrozenBatchNorm guard(*network);
    throw std::runtime_error("in between");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(modes(*network), before);
}

TEST(EvalMode, RestoresEveryFlagAlsoAfterAnException) {
  const auto network = mixed_network();
  const auto before = modes(*network);
  {
    const EvalMode guard(*network);
    EXPECT_EQ(modes(*network), std::vector<bool>(before.size(), false));
    network->train();  // whatever happens in between
  }
  EXPECT_EQ(modes(*network), before);
  try {
    const EvalMode guard(*network);
    throw std::runtime_error("in between");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(modes(*network), before);
}

TEST(InputGradient, IsTheGradientOfTheSum) {
  torch::NoGradGuard no_grad;  // works whatever the caller's mode
  const auto x = hash_input(4, 2, 3, 5);
  const auto result = input_gradient([](const torch::Tensor& t) { return t.pow(3).sum({1, 2, 3}); }, x);
  EXPECT_TRUE(torch::allclose(result.gradient, 3 * x.square()));
  EXPECT_TRUE(torch::allclose(result.scores, x.pow(3).sum({1, 2, 3})));
  EXPECT_FALSE(x.requires_grad());
}

TEST(InputGradient, GivesParametersNoGradients) {
  const auto network = compact_network();
  const auto score = [&](const torch::Tensor& x) { return network->forward(x); };
  const auto x = hash_input(3, 2, 32, 32);
  for (const bool keep_graph : {false, true}) {
    const auto result = input_gradient(score, x, keep_graph);
    EXPECT_EQ(result.gradient.sizes(), x.sizes());
    EXPECT_GT(result.gradient.abs().sum().item<double>(), 0.0);
    EXPECT_FALSE(result.gradient.requires_grad());
    EXPECT_EQ(result.scores.requires_grad(), keep_graph);
    for (const auto& item : network->named_parameters()) {
      EXPECT_FALSE(item.value().grad().defined()) << item.key();
    }
  }
}

TEST(InputGradient, KeptGraphLeadsToTheParameters) {
  const auto network = compact_network();
  network->eval();
  const auto x = hash_input(3, 2, 32, 32);
  const auto kept = input_gradient([&](const torch::Tensor& t) { return network->forward(t); }, x, /*keep_graph=*/true);
  kept.scores.sum().backward();
  const auto through_kept = network->named_parameters()["head.2.weight"].grad().clone();
  network->zero_grad();
  network->forward(x).sum().backward();
  EXPECT_TRUE(torch::equal(through_kept, network->named_parameters()["head.2.weight"].grad()));
}

TEST(StateEntries, AreSortedAndComplete) {
  const auto network = compact_network();
  const auto entries = state_entries(*network);
  EXPECT_EQ(entries.size(), network->parameters().size() + network->buffers().size());
  EXPECT_TRUE(
      std::is_sorted(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; }));
}

}  // namespace
}  // namespace steadyiqa::models
