#include "training/optimiser.h"

#include "base/error.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>
#include <vector>

namespace steadyiqa::training {
namespace {

constexpr std::int64_t kOfficialStepEpochs = 6;
constexpr std::int64_t kOfficialRatioUntil = 8;

Rates official_rates(const OptimiserSection& options, std::int64_t epoch) {
  if (epoch == 0) {
    return {options.lr, options.lr * options.head_ratio};
  }
  const std::int64_t t = epoch - 1;  // set at the end of epoch t
  const double ratio = t > kOfficialRatioUntil ? 1.0 : options.head_ratio;
  return {options.lr, options.lr / std::pow(10.0, static_cast<double>(t / kOfficialStepEpochs)) * ratio};
}

using NamedParameters = std::vector<std::pair<std::string, torch::Tensor>>;

std::vector<torch::Tensor> values(const NamedParameters& named) {
  std::vector<torch::Tensor> tensors;
  for (const auto& [name, tensor] : named) {
    tensors.push_back(tensor);
  }
  return tensors;
}

/// The key of a parameter's state: its address, as text before libtorch 2.
auto state_key(const torch::Tensor& parameter) {
#if TORCH_VERSION_MAJOR >= 2
  return static_cast<void*>(parameter.unsafeGetTensorImpl());
#else
  return c10::guts::to_string(parameter.unsafeGetTensorImpl());
#endif
}

}  // namespace

Rates rates_at(const OptimiserSection& options, const RunSection& run, std::int64_t epoch, std::int64_t step,
               std::int64_t steps) {
  if (options.quirks == OptimiserQuirks::kOfficial) {
    return official_rates(options, epoch);
  }
  const double done = static_cast<double>(epoch * steps + step);
  double factor = 1.0;
  if (options.schedule == ScheduleKind::kStep) {
    factor = std::pow(0.1, static_cast<double>(epoch / options.step_epochs));
  } else if (options.schedule == ScheduleKind::kCosine) {
    factor = 0.5 * (1.0 + std::cos(std::numbers::pi * done / static_cast<double>(run.epochs * steps)));
  }
  if (options.warmup_steps > 0) {
    factor *= std::min(1.0, (done + 1.0) / options.warmup_steps);
  }
  return {options.lr * factor, options.lr * options.head_ratio * factor};
}

struct Optimiser::State {
  NamedParameters trunk;
  NamedParameters head;
  OptimiserSection options;
  std::optional<torch::optim::Adam> adam;

  void build(bool with_head) {
    const auto adam_options = torch::optim::AdamOptions(options.lr).weight_decay(options.weight_decay);
    std::vector<torch::optim::OptimizerParamGroup> groups;
    for (const auto* group : {&trunk, &head}) {
      const bool wanted = group == &trunk || with_head;
      groups.emplace_back(wanted ? values(*group) : std::vector<torch::Tensor>{},
                          std::make_unique<torch::optim::AdamOptions>(adam_options));
    }
    adam.emplace(std::move(groups), adam_options);
  }
};

Optimiser::Optimiser(models::Network& network, const OptimiserSection& options) : state_(std::make_unique<State>()) {
  state_->options = options;
  const auto prefix = network.trunk_prefix();
  for (const auto& item : network.named_parameters()) {
    const bool in_trunk = !prefix.empty() && item.key().rfind(prefix, 0) == 0;
    (in_trunk ? state_->trunk : state_->head).emplace_back(item.key(), item.value());
  }
  for (auto* group : {&state_->trunk, &state_->head}) {
    std::sort(group->begin(), group->end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  state_->build(/*with_head=*/true);
}

Optimiser::~Optimiser() = default;

void Optimiser::start_epoch(std::int64_t epoch) {
  if (state_->options.quirks == OptimiserQuirks::kOfficial && epoch > 0) {
    state_->build(/*with_head=*/false);
  }
}

void Optimiser::set_rates(const Rates& rates) {
  auto& groups = state_->adam->param_groups();
  static_cast<torch::optim::AdamOptions&>(groups.at(0).options()).lr(rates.trunk);
  static_cast<torch::optim::AdamOptions&>(groups.at(1).options()).lr(rates.head);
}

void Optimiser::zero_grad() {
  for (const auto* group : {&state_->trunk, &state_->head}) {
    for (const auto& [name, parameter] : *group) {
      parameter.mutable_grad() = torch::Tensor();
    }
  }
}

void Optimiser::step() { state_->adam->step(); }

checkpoint::TensorMap Optimiser::state() const {
  checkpoint::TensorMap map;
  const auto& states = state_->adam->state();
  for (const auto* group : {&state_->trunk, &state_->head}) {
    for (const auto& [name, parameter] : *group) {
      const auto found = states.find(state_key(parameter));
      if (found == states.end()) {
        continue;
      }
      const auto& adam = static_cast<const torch::optim::AdamParamState&>(*found->second);
      map["exp_avg." + name] = adam.exp_avg();
      map["exp_avg_sq." + name] = adam.exp_avg_sq();
      map["step." + name] = torch::tensor(adam.step(), torch::kInt64);
    }
  }
  return map;
}

void Optimiser::set_state(const checkpoint::TensorMap& state, const std::string& where) {
  auto& states = state_->adam->state();
  for (const auto* group : {&state_->trunk, &state_->head}) {
    for (const auto& [name, parameter] : *group) {
      const auto step = state.find("step." + name);
      if (step == state.end()) {
        continue;
      }
      const auto average = state.find("exp_avg." + name);
      const auto square = state.find("exp_avg_sq." + name);
      const bool complete = average != state.end() && square != state.end() &&
                            average->second.sizes().equals(parameter.sizes()) &&
                            square->second.sizes().equals(parameter.sizes());
      if (!complete) {
        fail_input("{}: the optimiser state of {} is incomplete", where, name);
      }
      auto adam = std::make_unique<torch::optim::AdamParamState>();
      adam->step(step->second.item<std::int64_t>());
      // The layout decides the order of sums inside kernels: it must be the parameter's own.
      adam->exp_avg(torch::empty_like(parameter).copy_(average->second).detach());
      adam->exp_avg_sq(torch::empty_like(parameter).copy_(square->second).detach());
      states[state_key(parameter)] = std::move(adam);
    }
  }
}

}  // namespace steadyiqa::training
