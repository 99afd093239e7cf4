#include "models/precision.h"

#include "base/error.h"
#include "parallel/device.h"
#include "parallel/runtime.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

namespace steadyiqa::models {
namespace {

/// The convolutions under the network's trunk prefix.
std::vector<torch::nn::Conv2d> trunk_convolutions(const Network& network) {
  std::vector<torch::nn::Conv2d> found;
  for (const auto& item : network.named_modules("", /*include_self=*/false)) {
    auto conv = std::dynamic_pointer_cast<torch::nn::Conv2dImpl>(item.value());
    if (conv != nullptr && item.key().starts_with(network.trunk_prefix())) {
      found.emplace_back(std::move(conv));
    }
  }
  return found;
}

}  // namespace

const std::vector<std::string>& precision_names() {
  static const std::vector<std::string> kNames = {"float32", "bfloat16"};
  return kNames;
}

Precision parse_precision(const std::string& name) {
  const auto found = std::ranges::find(precision_names(), name);
  if (found == precision_names().end()) {
    fail_usage("precision '{}': float32 or bfloat16", name);
  }
  return static_cast<Precision>(found - precision_names().begin());
}

void check_precision(Precision precision, const Network& network) {
  if (precision == Precision::kFloat32) {
    return;
  }
  if (!network.lowers_trunk()) {
    fail_usage("precision bfloat16: this network has no convolutional trunk");
  }
  if (parallel::device().is_cpu() && !parallel::multiplies_bfloat16()) {
    fail_usage("precision bfloat16: this processor does not multiply it (avx512_bf16 or amx_bf16)");
  }
}

LoweredTrunk::LoweredTrunk(Network& network, Precision precision) : network_(network) {
  if (precision == Precision::kFloat32) {
    return;
  }
  STEADYIQA_ASSERT(network_.lowers_trunk() && network_.trunk_type_ == torch::kFloat32,
                   "a trunk of convolutions is lowered once");
  network_.trunk_type_ = torch::kBFloat16;
  for (auto& conv : trunk_convolutions(network)) {
    lowered_.push_back({conv, conv->weight, conv->bias});
    // The registered parameters are other handles: the module's state does not see these.
    conv->weight = conv->weight.to(torch::kBFloat16);
    if (conv->bias.defined()) {
      conv->bias = conv->bias.to(torch::kBFloat16);
    }
  }
}

LoweredTrunk::~LoweredTrunk() {
  for (auto& [conv, weight, bias] : lowered_) {
    conv->weight = std::move(weight);
    conv->bias = std::move(bias);
  }
  network_.trunk_type_ = torch::kFloat32;
}

}  // namespace steadyiqa::models
