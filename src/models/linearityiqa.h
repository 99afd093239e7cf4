// LinearityIQA (Li, Jiang, Jiang, ACM MM 2020): two levels of a trunk, each with a score of its own, and one of both.
#pragma once

#include "models/backbones.h"
#include "models/network.h"

#include <memory>

namespace steadyiqa::models {

/// The published network with global average pooling and no BatchNorm at the end (P6 = P7 = 1, use_bn_end false), key
/// for key (models.md section 3); 90,453,443 parameters with resnext101_32x8d. Its outputs are [q6, q7, q]. Any input
/// size. In training mode a batch has at least two images: BatchNorm over one vector has no variance.
[[nodiscard]] std::shared_ptr<Network> make_linearityiqa(std::shared_ptr<Backbone> backbone);

/// As torchvision starts its trunks (fan-out normal); all other layers PyTorch's default (section 3.2).
void initialise_linearityiqa(Network& network, std::uint64_t seed);

}  // namespace steadyiqa::models
