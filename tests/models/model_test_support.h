// What the tests of networks share: pixels and small networks that are the same on every machine.
#pragma once

#include "models/catalogue.h"
#include "models/hash_weights.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

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

}  // namespace steadyiqa::models
