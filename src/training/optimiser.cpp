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
  const std::int64_t steps_down = t / kOfficialStepEpochs;
  return {options.lr, options.lr / std::pow(10.0, static_cast<double>(steps_down)) * ratio};
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

/// The elements in the order of memory, without a copy.
torch::Tensor flat(const torch::Tensor& tensor) { return tensor.as_strided({tensor.numel()}, {1}); }

/// Adam's update of some elements, operator for operator libtorch's own.
void update(const torch::Tensor& parameter, torch::Tensor gradient, const torch::optim::AdamParamState& state,
            const torch::Tensor& mean, const torch::Tensor& square, const torch::optim::AdamOptions& options) {
  const auto [beta1, beta2] = options.betas();
  const auto steps = static_cast<double>(state.step());
  if (options.weight_decay() != 0) {
    gradient = gradient.add(parameter, options.weight_decay());
  }
  mean.mul_(beta1).add_(gradient, 1 - beta1);
  square.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
  const auto divisor = (square.sqrt() / std::sqrt(1 - std::pow(beta2, steps))).add_(options.eps());
  parameter.addcdiv_(mean, divisor, -options.lr() / (1 - std::pow(beta1, steps)));
}

/// torch::optim::Adam's step to the same bits, on what it holds; on the processor some elements at a time through all
/// its operators, so that they stay in its caches.
void adam_step(torch::optim::Optimizer& adam) {
  const torch::NoGradGuard no_grad;
  for (auto& group : adam.param_groups()) {
    const auto& options = static_cast<torch::optim::AdamOptions&>(group.options());
    for (const auto& parameter : group.params()) {
      if (!parameter.grad().defined()) {
        continue;
      }
      auto& entry = adam.state()[state_key(parameter)];
      if (entry == nullptr) {
        auto fresh = std::make_unique<torch::optim::AdamParamState>();
        fresh->step(0);
        fresh->exp_avg(torch::zeros_like(parameter));
        fresh->exp_avg_sq(torch::zeros_like(parameter));
        entry = std::move(fresh);
      }
      auto& state = static_cast<torch::optim::AdamParamState&>(*entry);
      state.step(state.step() + 1);
      // A gradient may lie in memory in another order.
      const auto gradient = parameter.grad().strides().equals(parameter.strides())
                                ? parameter.grad()
                                : torch::empty_like(parameter).copy_(parameter.grad());
      const auto at_once = parameter.is_cpu() ? std::int64_t{1} << 16 : parameter.numel();
      for (std::int64_t at = 0; at < parameter.numel(); at += at_once) {
        const auto part = [&](const torch::Tensor& tensor) {
          return flat(tensor).slice(0, at, std::min(at + at_once, tensor.numel()));
        };
        update(part(parameter), part(gradient), state, part(state.exp_avg()), part(state.exp_avg_sq()), options);
      }
    }
  }
}

/// A group's own options, whose rate changes from step to step.
std::unique_ptr<torch::optim::OptimizerOptions> group_options(const OptimiserSection& options) {
  if (options.algorithm == Algorithm::kSgd) {
    return std::make_unique<torch::optim::SGDOptions>(
        torch::optim::SGDOptions(options.lr).momentum(options.momentum).weight_decay(options.weight_decay));
  }
  return std::make_unique<torch::optim::AdamOptions>(
      torch::optim::AdamOptions(options.lr).weight_decay(options.weight_decay));
}

using Groups = std::vector<torch::optim::OptimizerParamGroup>;

std::unique_ptr<torch::optim::Optimizer> make_algorithm(Groups groups, const OptimiserSection& options) {
  if (options.algorithm == Algorithm::kSgd) {
    return std::make_unique<torch::optim::SGD>(std::move(groups), torch::optim::SGDOptions(options.lr));
  }
  return std::make_unique<torch::optim::Adam>(std::move(groups), torch::optim::AdamOptions(options.lr));
}

/// What the algorithm remembers of a parameter, by name.
checkpoint::TensorMap memory_of(const torch::optim::OptimizerParamState& state, Algorithm algorithm) {
  if (algorithm == Algorithm::kSgd) {
    return {{"momentum", static_cast<const torch::optim::SGDParamState&>(state).momentum_buffer()}};
  }
  const auto& adam = static_cast<const torch::optim::AdamParamState&>(state);
  return {{"exp_avg", adam.exp_avg()},
          {"exp_avg_sq", adam.exp_avg_sq()},
          {"step", torch::tensor(adam.step(), torch::kInt64)}};
}

std::unique_ptr<torch::optim::OptimizerParamState> with_memory(const checkpoint::TensorMap& memory,
                                                               Algorithm algorithm) {
  if (algorithm == Algorithm::kSgd) {
    auto sgd = std::make_unique<torch::optim::SGDParamState>();
    sgd->momentum_buffer(memory.at("momentum"));
    return sgd;
  }
  auto adam = std::make_unique<torch::optim::AdamParamState>();
  adam->step(memory.at("step").item<std::int64_t>());
  adam->exp_avg(memory.at("exp_avg"));
  adam->exp_avg_sq(memory.at("exp_avg_sq"));
  return adam;
}

/// The names that memory_of gives.
std::vector<std::string> memory_names(Algorithm algorithm) {
  return algorithm == Algorithm::kSgd ? std::vector<std::string>{"momentum"}
                                      : std::vector<std::string>{"exp_avg", "exp_avg_sq", "step"};
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
    const std::int64_t steps_down = epoch / options.step_epochs;
    factor = std::pow(0.1, static_cast<double>(steps_down));
  } else if (options.schedule == ScheduleKind::kCosine) {
    factor = 0.5 * (1.0 + std::cos(std::numbers::pi * done / static_cast<double>(run.epochs * steps)));
  } else if (options.schedule == ScheduleKind::kCosineCycle) {
    factor = 0.5 * (1.0 + std::cos(std::numbers::pi * done / static_cast<double>(options.cycle_steps)));
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
  std::unique_ptr<torch::optim::Optimizer> algorithm;

  void build(bool with_head) {
    Groups groups;
    for (const auto* group : {&trunk, &head}) {
      const bool wanted = group == &trunk ? options.trainable == Trainable::kAll : with_head;
      groups.emplace_back(wanted ? values(*group) : std::vector<torch::Tensor>{}, group_options(options));
    }
    algorithm = make_algorithm(std::move(groups), options);
  }
};

Optimiser::Optimiser(models::Network& network, const OptimiserSection& options) : state_(std::make_unique<State>()) {
  state_->options = options;
  const auto prefix = network.trunk_prefix();
  for (auto& item : network.named_parameters()) {
    const bool in_trunk = !prefix.empty() && item.key().rfind(prefix, 0) == 0;
    (in_trunk ? state_->trunk : state_->head).emplace_back(item.key(), item.value());
    item.value().set_requires_grad(!in_trunk || options.trainable == Trainable::kAll);
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
  auto& groups = state_->algorithm->param_groups();
  groups.at(0).options().set_lr(rates.trunk);
  groups.at(1).options().set_lr(rates.head);
}

void Optimiser::zero_grad() {
  for (const auto* group : {&state_->trunk, &state_->head}) {
    for (const auto& [name, parameter] : *group) {
      parameter.mutable_grad() = torch::Tensor();
    }
  }
}

void Optimiser::step() {
  if (state_->options.algorithm == Algorithm::kAdam) {
    adam_step(*state_->algorithm);
  } else {
    state_->algorithm->step();
  }
}

checkpoint::TensorMap Optimiser::state() const {
  checkpoint::TensorMap map;
  const auto& states = state_->algorithm->state();
  for (const auto* group : {&state_->trunk, &state_->head}) {
    for (const auto& [name, parameter] : *group) {
      const auto found = states.find(state_key(parameter));
      if (found == states.end()) {
        continue;
      }
      for (const auto& [part, tensor] : memory_of(*found->second, state_->options.algorithm)) {
        map[part + "." + name] = tensor;
      }
    }
  }
  return map;
}

void Optimiser::set_state(const checkpoint::TensorMap& state, const std::string& where) {
  const auto algorithm = state_->options.algorithm;
  const auto names = memory_names(algorithm);
  auto& states = state_->algorithm->state();
  for (const auto* group : {&state_->trunk, &state_->head}) {
    for (const auto& [name, parameter] : *group) {
      checkpoint::TensorMap memory;
      for (const auto& part : names) {
        const auto found = state.find(part + "." + name);
        const bool fits = found != state.end() && (part == "step" ? found->second.numel() == 1
                                                                  : found->second.sizes().equals(parameter.sizes()));
        if (fits) {
          // The layout decides the order of sums inside kernels: it must be the parameter's own.
          memory[part] = part == "step" ? found->second : torch::empty_like(parameter).copy_(found->second).detach();
        } else if (found != state.end()) {
          fail_input("{}: the optimiser state of {} has another shape ({})", where, name, part);
        }
      }
      if (!memory.empty() && memory.size() != names.size()) {
        fail_input("{}: the optimiser state of {} is incomplete", where, name);
      }
      if (!memory.empty()) {
        states[state_key(parameter)] = with_memory(memory, algorithm);
      }
    }
  }
}

}  // namespace steadyiqa::training
