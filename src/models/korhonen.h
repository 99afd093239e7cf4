// The surrogate of Korhonen and You (QoEVMA 2022): a small regressor that attacks are made on and then shown to others.
#pragma once

#include "models/backbones.h"
#include "models/network.h"

#include <memory>

namespace steadyiqa::models {

/// Global mean of the trunk's last map -> dropout 0.25 (training mode) -> one linear layer -> sigmoid (their
/// trainSubstituteModel.m, MATLAB). Scores in [0,1]. Any input size. Keys: trunk.* as torchvision names the trunk,
/// head.weight, head.bias; 23,510,081 parameters with resnet50.
[[nodiscard]] std::shared_ptr<Network> make_korhonen(std::shared_ptr<Backbone> trunk);

/// As torchvision starts its trunks (fan-out normal); the head N(0, 0.02) (theirs 0.01) with bias 0: first scores near
/// 0.5.
void initialise_korhonen(Network& network, std::uint64_t seed);

}  // namespace steadyiqa::models
