// DBCNN (Zhang et al., TCSVT 2020): bilinear pooling of VGG-16 and of a network trained to tell distortions apart.
#pragma once

#include "models/network.h"

#include <memory>

namespace steadyiqa::models {

/// The published network, key for key (models.md section 2); 15,311,345 parameters. Any input of at least 16 x 16.
[[nodiscard]] std::shared_ptr<Network> make_dbcnn();

/// As torchvision starts VGG (fan-out normal) and section 2.2 the S-CNN and the last layer (fan-in normal); biases 0.
void initialise_dbcnn(Network& network, std::uint64_t seed);

}  // namespace steadyiqa::models
