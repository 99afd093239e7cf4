#include "attacks/adam.h"

#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::attacks {

torch::Tensor Adam::step(const torch::Tensor& gradient) {
  constexpr double kBeta1 = 0.9;
  constexpr double kBeta2 = 0.999;
  constexpr double kEpsilon = 1e-8;
  if (steps_ == 0) {
    mean_ = torch::zeros_like(gradient);
    square_ = torch::zeros_like(gradient);
  }
  ++steps_;
  mean_ = kBeta1 * mean_ + (1 - kBeta1) * gradient;
  square_ = kBeta2 * square_ + (1 - kBeta2) * gradient.square();
  const auto n = static_cast<double>(steps_);
  return mean_ / (1 - std::pow(kBeta1, n)) / ((square_ / (1 - std::pow(kBeta2, n))).sqrt() + kEpsilon);
}

}  // namespace steadyiqa::attacks
