// Adam's step for attacks that move pixels by it.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace steadyiqa::attacks {

/// Adam (Kingma, Ba 2015; beta .9 and .999, epsilon 1e-8). Every value has its own state, so that no item of a batch
/// depends on its neighbours.
class Adam {
 public:
  /// The step that raises the objective for a rate of 1, shape of `gradient`; about the gradient's sign at first.
  [[nodiscard]] torch::Tensor step(const torch::Tensor& gradient);

 private:
  torch::Tensor mean_;
  torch::Tensor square_;
  std::int64_t steps_ = 0;
};

}  // namespace steadyiqa::attacks
