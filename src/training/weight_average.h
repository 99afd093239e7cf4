// A running average of a network's weights, which scores better and changes less under attack than the last step's.
#pragma once

#include "checkpoint/safetensors.h"
#include "models/network.h"

#include <string>

namespace steadyiqa::training {

/// Exponential moving average of the parameters over optimiser steps (Polyak averaging as used in adversarial training
/// by Rebuffi et al. 2021): a <- d a + (1 - d) w with d = min(decay, (1 + n) / (10 + n)) after n steps, so that the
/// start is soon forgotten. Buffers (BatchNorm's statistics) are the network's own. decay 0 = the weights themselves.
class WeightAverage {
 public:
  WeightAverage(models::Network& network, double decay);
  /// To be called after each optimiser step.
  void update();

  /// While it lives, the network has the averaged weights.
  class Applied {
   public:
    explicit Applied(WeightAverage& average);
    ~Applied();
    Applied(const Applied&) = delete;
    Applied& operator=(const Applied&) = delete;
    Applied(Applied&&) = delete;
    Applied& operator=(Applied&&) = delete;

   private:
    WeightAverage& average_;
  };

  /// The averages by parameter name and the number of steps; empty with decay 0. Restoring them continues bit for bit.
  [[nodiscard]] checkpoint::TensorMap state() const;
  void set_state(const checkpoint::TensorMap& state, const std::string& where);

 private:
  void swap();
  models::Network& network_;
  double decay_;
  std::int64_t steps_ = 0;
  checkpoint::TensorMap averages_;
};

}  // namespace steadyiqa::training
