#include "models/plain_trunks.h"

#include "models/layers.h"

#include <torch/torch.h>

#include <array>
#include <cstdint>

namespace steadyiqa::models {

namespace nn = torch::nn;

nn::Sequential vgg16_features() {
  constexpr std::int64_t kPool = 0;
  constexpr std::array<std::int64_t, 17> kLayers = {64,    64,  kPool, 128, 128,   kPool, 256, 256, 256,
                                                    kPool, 512, 512,   512, kPool, 512,   512, 512};
  nn::Sequential features;
  std::int64_t in = 3;
  for (const auto out : kLayers) {
    if (out == kPool) {
      features->push_back(nn::MaxPool2d(nn::MaxPool2dOptions(2).stride(2)));
      continue;
    }
    features->push_back(Convolution(nn::Conv2dOptions(in, out, 3).padding(1)));
    features->push_back(nn::ReLU());
    in = out;
  }
  return features;
}

nn::Sequential alexnet_features() {
  const auto pool = [] { return nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2)); };
  return nn::Sequential(Convolution(nn::Conv2dOptions(3, 64, 11).stride(4).padding(2)), nn::ReLU(), pool(),
                        Convolution(nn::Conv2dOptions(64, 192, 5).padding(2)), nn::ReLU(), pool(),
                        Convolution(nn::Conv2dOptions(192, 384, 3).padding(1)), nn::ReLU(),
                        Convolution(nn::Conv2dOptions(384, 256, 3).padding(1)), nn::ReLU(),
                        Convolution(nn::Conv2dOptions(256, 256, 3).padding(1)), nn::ReLU());
}

}  // namespace steadyiqa::models
