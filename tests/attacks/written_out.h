// The network that make_trajectories.py writes down, too.
#pragma once

#include "attacks/victim.h"

#include <torch/torch.h>

namespace steadyiqa::testing {

class WrittenOut : public attacks::Victim {
 public:
  [[nodiscard]] torch::Tensor raw(const torch::Tensor& pixels) override {
    const auto mean = torch::tensor({0.485, 0.456, 0.406}, torch::kFloat32).view({1, 3, 1, 1});
    const auto std = torch::tensor({0.229, 0.224, 0.225}, torch::kFloat32).view({1, 3, 1, 1});
    const auto weight =
        torch::sin((torch::arange(4 * 27) + 1).to(torch::kFloat64)).to(torch::kFloat32).view({4, 3, 3, 3});
    const auto features = torch::tanh(torch::conv2d((pixels - mean) / std, weight) / 3).mean({2, 3});
    return (features * torch::cos(torch::arange(4).to(torch::kFloat32))).sum(1) * 20;
  }
  [[nodiscard]] bool has_gradient() const override { return true; }
  [[nodiscard]] stats::Affine calibration() const override { return {}; }
};

}  // namespace steadyiqa::testing
