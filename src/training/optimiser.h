// Adam or SGD over trunk and head with the recipe's schedule, and its state as named tensors.
#pragma once

#include "checkpoint/safetensors.h"
#include "models/network.h"
#include "training/recipe.h"

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>

namespace steadyiqa::training {

struct Rates {
  double trunk = 0;
  double head = 0;
};

/// The learning rates at step `step` of epoch `epoch` (both from 0), `steps` per epoch.
/// quirks official (models.md 1.7): the trunk stays at lr; the head's rate is lr / 10^(t div 6) x ratio set at the end
/// of epoch t, the ratio 10 becoming 1 once t > 8.
[[nodiscard]] Rates rates_at(const OptimiserSection& options, const RunSection& run, std::int64_t epoch,
                             std::int64_t step, std::int64_t steps);

/// Adam (Kingma, Ba 2015) or SGD with momentum, both with coupled weight decay as PyTorch's, in two groups. With
/// trainable = head the trunk's parameters ask for no gradient. Parameters are updated in name order, so that the same
/// gradients give the same bits.
class Optimiser {
 public:
  Optimiser(models::Network& network, const OptimiserSection& options);
  ~Optimiser();
  Optimiser(const Optimiser&) = delete;
  Optimiser& operator=(const Optimiser&) = delete;
  Optimiser(Optimiser&&) = delete;
  Optimiser& operator=(Optimiser&&) = delete;

  /// To be called at the start of each epoch: under the official quirks it forgets the moments and, from the second
  /// epoch on, drops the head's group.
  void start_epoch(std::int64_t epoch);
  void set_rates(const Rates& rates);
  void zero_grad();
  void step();

  /// Moments and step counts by parameter name; restoring them continues bit for bit.
  [[nodiscard]] checkpoint::TensorMap state() const;
  void set_state(const checkpoint::TensorMap& state, const std::string& where);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace steadyiqa::training
