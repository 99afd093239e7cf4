// Trunks without branches, layer for layer torchvision's `features` (names and shapes match its state_dict).
#pragma once

#include <torch/nn/modules/container/sequential.h>

namespace steadyiqa::models {

/// VGG-16 (Simonyan, Zisserman 2015) without the last pooling: 30 layers, stride 16, sides of at least 16 pixels.
[[nodiscard]] torch::nn::Sequential vgg16_features();

/// AlexNet (Krizhevsky 2014) without the last pooling: 12 layers, stride 16, sides of at least 31 pixels.
[[nodiscard]] torch::nn::Sequential alexnet_features();

}  // namespace steadyiqa::models
