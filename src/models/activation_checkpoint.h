// Activation checkpointing (Chen et al., "Training deep nets with sublinear memory cost", 2016): memory for time.
#pragma once

#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/types.h>

#include <cstddef>
#include <vector>

namespace steadyiqa::models {

/// While it lives, the blocks of a trunk (run_block) keep their input alone for a backward pass, which runs each once
/// more. Such a pass may come after its end: a block runs again with the weights, the folding, the precision and
/// BatchNorm's mode that it ran with first, and leaves running statistics alone. Results are the same, and gradients
/// but for the order in which a map's are added up that goes to the next block and elsewhere. It does not go with
/// KeptLayerGradients, forward-mode or double differentiation; blocks draw no random numbers.
class CheckpointedActivations {
 public:
  CheckpointedActivations();
  ~CheckpointedActivations();
  CheckpointedActivations(const CheckpointedActivations&) = delete;
  CheckpointedActivations& operator=(const CheckpointedActivations&) = delete;
  CheckpointedActivations(CheckpointedActivations&&) = delete;
  CheckpointedActivations& operator=(CheckpointedActivations&&) = delete;
};

/// The layers in turn, the first of which leaves x as it is. Each takes and gives one tensor.
[[nodiscard]] torch::Tensor run_block(const std::vector<torch::nn::AnyModule>& layers, const torch::Tensor& x);
/// All layers, so many to a block.
[[nodiscard]] torch::Tensor run_blocks(torch::nn::Sequential layers, std::size_t layers_per_block, torch::Tensor x);

}  // namespace steadyiqa::models
