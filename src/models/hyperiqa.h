// HyperIQA (Su et al., CVPR 2020): a hyper-network writes the weights of a small target network for each image.
#pragma once

#include "models/backbones.h"
#include "models/network.h"

#include <memory>

namespace steadyiqa::models {

/// With ResNet-50 this is the published network, key for key (models.md section 1); 27,375,369 parameters. Other trunks
/// keep its structure: LDA taps at the four strides, hyper-network channels C -> C/2 -> C/4 -> 112 for a C-channel last
/// map. Input exactly 224 x 224.
[[nodiscard]] std::shared_ptr<Network> make_hyperiqa(std::shared_ptr<Backbone> backbone);

/// Initialisation of section 1.2 from a seed: trunk convolutions fan-out normal, LDA and hyper-network layers Kaiming
/// normal (fan-in), the three 1x1 convolutions of `conv1` PyTorch's default uniform.
void initialise_hyperiqa(Network& network, std::uint64_t seed);

}  // namespace steadyiqa::models
