// MANIQA (Yang et al., CVPR Workshops 2022): attention over channels and within windows on the maps of a ViT.
#pragma once

#include "models/network.h"

#include <memory>

namespace steadyiqa::models {

/// Weight of a Swin layer beside its input. It is not in the published state_dicts: 0.8 belongs to the KonIQ-10k and
/// KADID-10k weights, 0.13 to PIPAL's.
inline constexpr double kSwinScale = 0.8;

/// The published network, key for key (models.md section 4): 135,747,530 parameters, those that are never computed
/// included. Input exactly 224 x 224; scores >= 0. In training mode Dropout and DropPath draw from libtorch's default
/// generator.
[[nodiscard]] std::shared_ptr<Network> make_maniqa(double swin_scale);

/// The ViT as timm starts it (weights N(0, 0.02), biases 0, patches PyTorch's default), bias tables N(0, 0.02), all
/// else PyTorch's default (section 4.2).
void initialise_maniqa(Network& network, std::uint64_t seed);

}  // namespace steadyiqa::models
