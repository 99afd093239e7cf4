#include "training/weight_average.h"

#include "base/error.h"

#include <torch/torch.h>

#include <algorithm>

namespace steadyiqa::training {
namespace {

constexpr const char* kSteps = "steps";

}  // namespace

WeightAverage::WeightAverage(models::Network& network, double decay) : network_(network), decay_(decay) {
  if (decay_ > 0.0) {
    for (const auto& item : network_.named_parameters()) {
      averages_[item.key()] = item.value().detach().clone();
    }
  }
}

void WeightAverage::update() {
  const auto n = static_cast<double>(++steps_);
  const double keep = std::min(decay_, (1.0 + n) / (10.0 + n));
  torch::NoGradGuard no_grad;
  const auto parameters = network_.named_parameters();
  for (auto& [name, average] : averages_) {
    average.lerp_(parameters[name], 1.0 - keep);
  }
}

void WeightAverage::swap() {
  torch::NoGradGuard no_grad;
  auto parameters = network_.named_parameters();
  for (auto& [name, average] : averages_) {
    const auto weight = parameters[name].detach().clone();
    parameters[name].copy_(average);
    average.copy_(weight);
  }
}

WeightAverage::Applied::Applied(WeightAverage& average) : average_(average) { average_.swap(); }
WeightAverage::Applied::~Applied() { average_.swap(); }

checkpoint::TensorMap WeightAverage::state() const {
  auto state = averages_;
  if (!state.empty()) {
    state[kSteps] = torch::tensor(steps_, torch::kInt64);
  }
  return state;
}

void WeightAverage::set_state(const checkpoint::TensorMap& state, const std::string& where) {
  if (averages_.empty()) {
    return;
  }
  const auto steps = state.find(kSteps);
  if (steps == state.end() || steps->second.numel() != 1) {
    fail_input("{}: no weight average", where);
  }
  steps_ = steps->second.item<std::int64_t>();
  for (auto& [name, average] : averages_) {
    const auto saved = state.find(name);
    if (saved == state.end() || !saved->second.sizes().equals(average.sizes())) {
      fail_input("{}: the weight average of {} is missing or has another shape", where, name);
    }
    average.copy_(saved->second);
  }
}

}  // namespace steadyiqa::training
