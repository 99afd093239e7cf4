// The network that makes a universal perturbation from noise.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace steadyiqa::attacks {

/// A U-Net (pix2pix's, as Shumitskaya et al. take it): up to 8 halvings by 4x4 convolutions, as many doublings, skips
/// between them; instance norm, leaky ReLU on the way down, ReLU on the way up, tanh. Without their dropout, so that
/// one noise has one perturbation.
class UapGenerator : public torch::nn::Module {
 public:
  /// For squares of `side` pixels. As many levels as halvings leave whole numbers, 8 at most. Throws Error(kUsage) for
  /// an odd side. Weights are N(0, 0.02), biases 0, by seed.
  UapGenerator(std::int64_t side, std::int64_t channels, std::uint64_t seed);
  /// [N,3,S,S] -> [N,3,S,S] in [-1,1].
  torch::Tensor forward(const torch::Tensor& noise);

 private:
  std::vector<torch::nn::Conv2d> down_;
  std::vector<torch::nn::ConvTranspose2d> up_;  ///< by the level that it starts from
};

}  // namespace steadyiqa::attacks
