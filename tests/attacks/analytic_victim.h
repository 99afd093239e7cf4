// A score that is a formula, so that other programs can compute it too (make_perceptual_values.py).
#pragma once

#include "attacks/catalogue.h"
#include "attacks/victim.h"
#include "data/loader.h"
#include "image/noise.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::testing {

/// Of each value of one image: -1 to 1 by an integer pattern.
inline torch::Tensor pattern(const torch::Tensor& pixels) {
  const auto options = pixels.options();
  const auto count = pixels[0].numel();
  return (torch::arange(count, options.dtype(torch::kInt64)).mul(7919).remainder(101).to(options) / 50 - 1)
      .view(pixels[0].sizes());
}

/// Non-linear, and with neighbours that matter to each other: [N,3,H,W] -> [N].
inline torch::Tensor analytic_score(const torch::Tensor& x) {
  return 50 + 400 * (pattern(x) * torch::sin(4 * x) * (1 + x.roll({1}, {3}))).mean({1, 2, 3});
}

/// Any differentiable function as a victim.
class DifferentiableVictim : public attacks::Victim {
 public:
  explicit DifferentiableVictim(std::function<torch::Tensor(const torch::Tensor&)> score = analytic_score)
      : score_(std::move(score)) {}
  [[nodiscard]] torch::Tensor raw(const torch::Tensor& pixels) override { return score_(pixels); }
  [[nodiscard]] bool has_gradient() const override { return true; }
  [[nodiscard]] stats::Affine calibration() const override { return {}; }

 private:
  std::function<torch::Tensor(const torch::Tensor&)> score_;
};

/// [1,3,17,25] in float64, where trajectories of different programs stay together.
inline torch::Tensor analytic_image() {
  return data::to_tensor(image::scene(25, 17)).unsqueeze(0).to(torch::kFloat64).mul(255).round().div(255);
}

/// Pushed up (`way` 1) or down (-1), with the seeds 1, 2, ...
inline attacks::Problem problem_of(attacks::Victim& victim, const torch::Tensor& clean, double way = 1,
                                   double epsilon = 1) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < clean.size(0); ++i) {
    seeds.push_back(static_cast<std::uint64_t>(i) + 1);
  }
  return {victim, clean, torch::full({clean.size(0)}, way, clean.options()), {}, epsilon, std::move(seeds)};
}

/// As make_perceptual_values.py shows a change, in grey levels: largest, sum, sum weighted by the pattern.
inline void expect_change(const torch::Tensor& x, const torch::Tensor& clean, const std::array<double, 3>& expected) {
  const auto change = (x - clean) * 255;
  EXPECT_NEAR(change.abs().max().item<double>(), expected[0], 1e-6);
  EXPECT_NEAR(change.sum().item<double>(), expected[1], 1e-6);
  EXPECT_NEAR((pattern(clean) * change).sum().item<double>(), expected[2], 1e-6);
}

inline torch::Tensor proposal(const std::string& spec, attacks::Problem& problem) {
  return attacks::make_attack(attacks::AttackSpec::parse(spec))->propose(problem);
}

}  // namespace steadyiqa::testing
