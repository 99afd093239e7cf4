// A small smooth network in float64: numerical differentiation of it is good to many digits.
#pragma once

#include "models/hash_weights.h"
#include "models/layers.h"
#include "models/network.h"

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::objective {

class TinyNetwork : public models::Network {
 public:
  TinyNetwork() {
    namespace nn = torch::nn;
    conv1_ = register_module("conv1", models::Convolution(nn::Conv2dOptions(3, 4, 3).stride(2).padding(1)));
    norm_ = register_module("norm", nn::BatchNorm2d(4));
    conv2_ = register_module("conv2", models::Convolution(nn::Conv2dOptions(4, 5, 3).stride(2).padding(1)));
    head_ = register_module("head", nn::Linear(5, 1));
  }
  torch::Tensor forward(const torch::Tensor& x) override {
    const auto y = torch::softplus(conv2_(torch::tanh(norm_(conv1_(x)))));
    return 10.0 * head_(y.mean({2, 3})).view({x.size(0)});
  }

 private:
  models::Convolution conv1_{nullptr};
  torch::nn::BatchNorm2d norm_{nullptr};
  models::Convolution conv2_{nullptr};
  torch::nn::Linear head_{nullptr};
};

/// Hash weights, float64, in eval mode.
inline std::shared_ptr<TinyNetwork> tiny_network() {
  auto network = std::make_shared<TinyNetwork>();
  models::fill_hash_weights(*network);
  network->to(torch::kFloat64);  // afterwards: it turns BatchNorm's batch counts into floating point, too
  network->eval();
  return network;
}

/// [batch,3,12,14], values in [-2,2).
inline torch::Tensor tiny_input(std::int64_t batch = 3) {
  return models::hash_input(5, batch, 12, 14).to(torch::kFloat64);
}

/// d scalar / d each parameter; zeros where it does not depend on one.
inline std::vector<torch::Tensor> parameter_gradients(const torch::Tensor& scalar, const torch::nn::Module& network) {
  const auto parameters = network.parameters();
  auto gradients = torch::autograd::grad({scalar}, parameters, /*grad_outputs=*/{}, /*retain_graph=*/true,
                                         /*create_graph=*/false, /*allow_unused=*/true);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    gradients[i] = gradients[i].defined() ? gradients[i] : torch::zeros_like(parameters[i]);
  }
  return gradients;
}

/// All of them in one vector.
inline torch::Tensor flat_gradient(const torch::Tensor& scalar, const torch::nn::Module& network) {
  std::vector<torch::Tensor> parts;
  for (const auto& gradient : parameter_gradients(scalar, network)) {
    parts.push_back(gradient.flatten());
  }
  return torch::cat(parts);
}

/// ||a - b|| / ||b||.
inline double relative_distance(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

}  // namespace steadyiqa::objective
