// What the convolutions of a network's trunk compute in.
#pragma once

#include "models/network.h"

#include <torch/nn/modules/conv.h>
#include <torch/types.h>

#include <string>
#include <vector>

namespace steadyiqa::models {

/// bfloat16 has float32's range and 8 bits of precision, and takes half the memory and, on a processor that multiplies
/// it, about half the time.
enum class Precision { kFloat32, kBfloat16 };
/// "float32", "bfloat16": the names of recipes and flags.
[[nodiscard]] const std::vector<std::string>& precision_names();
/// Throws Error(kUsage) for another name.
[[nodiscard]] Precision parse_precision(const std::string& name);

/// Throws Error(kUsage) for bfloat16 where the network has no convolutional trunk (MANIQA) or the processor does not
/// multiply it: it would be many times slower.
void check_precision(Precision precision, const Network& network);

/// While it lives, every convolution under the network's trunk_prefix() runs in that precision, sums in float32: its
/// input, weight and output are rounded, BatchNorm's parameters and statistics and all that follows the trunk stay
/// float32. The parameters do not change; made in grad mode, it passes gradients on to them, in float32. Float32
/// changes nothing. Comes after a FoldedBatchNorm and ends before it; one at a time.
class LoweredTrunk {
 public:
  LoweredTrunk(Network& network, Precision precision);
  ~LoweredTrunk();
  LoweredTrunk(const LoweredTrunk&) = delete;
  LoweredTrunk& operator=(const LoweredTrunk&) = delete;
  LoweredTrunk(LoweredTrunk&&) = delete;
  LoweredTrunk& operator=(LoweredTrunk&&) = delete;

 private:
  struct Lowered {
    torch::nn::Conv2d conv;
    torch::Tensor weight, bias;  ///< its own
  };
  Network& network_;
  std::vector<Lowered> lowered_;
};

}  // namespace steadyiqa::models
