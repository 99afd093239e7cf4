// Weights of a fresh network, from a seed and each tensor's name: the same whatever is built before or after it.
#pragma once

#include "models/network.h"

#include <cstdint>
#include <functional>
#include <string>

namespace steadyiqa::models {

enum class WeightInit {
  kTorchDefault,  ///< U(+-1/sqrt(fan_in)), PyTorch's Linear and Conv2d
  kFanInNormal,   ///< N(0, sqrt(2 / fan_in)) (He et al. 2015)
  kFanOutNormal   ///< N(0, sqrt(2 / fan_out))
};

/// Convolution and linear weights as `rule(module name)` says, their biases U(+-1/sqrt(fan_in)), BatchNorm weight 1 and
/// bias 0, running statistics 0 and 1.
void initialise(torch::nn::Module& module, std::uint64_t seed,
                const std::function<WeightInit(const std::string&)>& rule);

}  // namespace steadyiqa::models
