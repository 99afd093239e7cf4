// What the tests of networks share: pixels and small networks that are the same on every machine.
#pragma once

#include "models/catalogue.h"
#include "models/hash_weights.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace steadyiqa::models {

/// Pixels in [0,1), [batch,3,height,width].
inline torch::Tensor hash_pixels(std::uint32_t seed, std::int64_t batch, std::int64_t height, std::int64_t width) {
  return (hash_input(seed, batch, height, width) + 2.0) / 4.0;
}

/// The catalogue's compact network, freshly initialised, in training mode.
inline std::shared_ptr<Network> compact_network(std::uint64_t seed = 1) {
  auto network = make_network("compact", "");
  find_model("compact").initialise(*network, seed);
  return network;
}

/// Copies of all parameters and buffers.
inline std::map<std::string, torch::Tensor> state_copy(const torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> copy;
  for (const auto& [name, tensor] : state_entries(module)) {
    copy.emplace(name, tensor.detach().clone());
  }
  return copy;
}

/// One line "name dimension,dimension,..." per tensor, sorted by name.
inline std::string name_and_shape_lines(const torch::nn::Module& module, bool with_batch_counts) {
  std::string text;
  for (const auto& [name, tensor] : state_entries(module)) {
    if (with_batch_counts || name.find("num_batches_tracked") == std::string::npos) {
      text += fmt::format("{} {}\n", name, fmt::join(tensor.sizes(), ","));
    }
  }
  return text;
}

/// The named network in eval mode with the weights of models.md section 7.
inline std::shared_ptr<Network> hash_network(const std::string& name, const std::string& backbone = "",
                                             double swin_scale = kSwinScale) {
  auto network = make_network(name, backbone, swin_scale);
  fill_hash_weights(*network);
  network->eval();
  return network;
}

/// All values of the tensor, row-major, against the expected ones.
inline void expect_values(const torch::Tensor& tensor, const std::vector<double>& expected, double relative) {
  const auto flat = tensor.detach().to(torch::kFloat64).contiguous().view({-1});
  ASSERT_EQ(flat.numel(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(flat[static_cast<std::int64_t>(i)].item<double>(), expected[i], relative * std::abs(expected[i])) << i;
  }
}

/// d sum(scores) / dx is finite everywhere and somewhere not 0.
inline void expect_usable_gradient(Network& network, const torch::Tensor& x) {
  const auto gradient = input_gradient([&](const torch::Tensor& t) { return network.forward(t); }, x).gradient;
  EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>());
  EXPECT_GT(gradient.abs().max().item<double>(), 0);
}

}  // namespace steadyiqa::models
