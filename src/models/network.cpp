#include "models/network.h"

#include "models/conv_norm.h"
#include "parallel/runtime.h"

#include <torch/torch.h>

#include <algorithm>

namespace steadyiqa::models {
namespace {

std::vector<torch::nn::Module*> training_batch_norms(torch::nn::Module& module) {
  std::vector<torch::nn::Module*> found;
  for (const auto& child : module.modules(/*include_self=*/false)) {
    const bool is_batch_norm = child->as<ConvNorm>() != nullptr || child->as<torch::nn::BatchNorm2d>() != nullptr ||
                               child->as<torch::nn::BatchNorm1d>() != nullptr;
    if (is_batch_norm && child->is_training()) {
      found.push_back(child.get());
    }
  }
  return found;
}

}  // namespace

WeightedScores Network::forward_weighted(const torch::Tensor& x) {
  auto scores = forward(x);
  auto ones = torch::ones_like(scores);
  return {std::move(scores), std::move(ones)};
}

bool batch_norm_training(torch::nn::Module& module) { return !training_batch_norms(module).empty(); }

FrozenBatchNorm::FrozenBatchNorm(torch::nn::Module& module) : thawed_(training_batch_norms(module)) {
  for (auto* child : thawed_) {
    child->train(false);
  }
}

FrozenBatchNorm::~FrozenBatchNorm() {
  for (auto* child : thawed_) {
    child->train(true);
  }
}

EvalMode::EvalMode(torch::nn::Module& module) {
  // modules() lists parents before their children; a reference to `module` itself may not be shareable, so it is added
  // by hand.
  modes_.emplace_back(&module, module.is_training());
  for (const auto& child : module.modules(/*include_self=*/false)) {
    modes_.emplace_back(child.get(), child->is_training());
  }
  module.eval();
}

EvalMode::~EvalMode() {
  for (const auto& [module, training] : modes_) {
    module->train(training);  // reaches all descendants; their own entries follow
  }
}

InputGradient input_gradient(const std::function<torch::Tensor(const torch::Tensor&)>& score, const torch::Tensor& x,
                             bool keep_graph) {
  torch::AutoGradMode enable(true);
  auto leaf = x.detach().requires_grad_(true);
  auto scores = score(leaf);
  auto gradient = torch::autograd::grad({scores.sum()}, {leaf}, /*grad_outputs=*/{}, /*retain_graph=*/keep_graph,
                                        /*create_graph=*/false)[0];
  return {keep_graph ? scores : scores.detach(), gradient.detach()};
}

std::vector<std::pair<std::string, torch::Tensor>> state_entries(const torch::nn::Module& module) {
  std::vector<std::pair<std::string, torch::Tensor>> entries;
  for (const auto& item : module.named_parameters()) {
    entries.emplace_back(item.key(), item.value());
  }
  for (const auto& item : module.named_buffers()) {
    entries.emplace_back(item.key(), item.value());
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return entries;
}

void use_run_layout(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) {
    parameter.set_data(parallel::to_layout(parameter.data()));
  }
}

}  // namespace steadyiqa::models
