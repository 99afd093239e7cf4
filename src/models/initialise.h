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
  kFanOutNormal,  ///< N(0, sqrt(2 / fan_out))
  kNarrowNormal   ///< N(0, 0.02), of transformers
};
enum class BiasInit {
  kTorchDefault,  ///< U(+-1/sqrt(fan_in))
  kZero
};
struct LayerInit {
  WeightInit weight = WeightInit::kTorchDefault;
  BiasInit bias = BiasInit::kTorchDefault;
};

/// Convolutions and linear layers as `rule(module name)` says; BatchNorm and LayerNorm weight 1, bias 0, running
/// statistics 0 and 1. Tensors of other modules are left alone.
void initialise(torch::nn::Module& module, std::uint64_t seed,
                const std::function<LayerInit(const std::string&)>& rule);

/// N(0, 0.02) for one tensor that belongs to no such layer, `name` being its own.
void initialise_narrow(const torch::Tensor& tensor, std::uint64_t seed, const std::string& name);

}  // namespace steadyiqa::models
