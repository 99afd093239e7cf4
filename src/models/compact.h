// A compact network for demonstrations and tests: trained from scratch in a minute on two cores.
#pragma once

#include "models/network.h"

#include <memory>

namespace steadyiqa::models {

/// Five 3x3 convolutions (BatchNorm, ReLU), the first four with stride 2, global average pooling, two linear layers.
/// Any input of at least 32 x 32.
[[nodiscard]] std::shared_ptr<Network> make_compact();
void initialise_compact(Network& network, std::uint64_t seed);

}  // namespace steadyiqa::models
