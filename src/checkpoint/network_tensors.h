// A network's tensors by name, and the filling of a network from a file's.
#pragma once

#include "checkpoint/tensor_info.h"
#include "models/network.h"

#include <string>

namespace steadyiqa::checkpoint {

/// Parameters and buffers by their state_dict names; they share the network's memory.
[[nodiscard]] TensorMap network_tensors(const torch::nn::Module& network);

/// Copies the tensors into the network, in the network's dtypes. Throws Error(kInput) that names `where` and counts
/// missing, unexpected and mismatched tensors with the first of each, or for a value that is not finite. Optional ones
/// (is_optional) may be missing, and the network keeps its own, or unexpected.
void set_network_tensors(torch::nn::Module& network, const TensorMap& tensors, const std::string& where);

/// What a file to start training from held.
enum class Initial { kTrunk, kModel };
/// Starts training from files: `files` is one path, or several with commas between them (DBCNN takes VGG-16 and S-CNN).
/// Each holds all weights of the network (a SteadyIQA model, an authors' or pyiqa's checkpoint) or a part of it
/// (ImageNet trunk of torchvision or timm, S-CNN; its classifier is ignored), in any container. kModel when one held
/// all. Throws Error(kInput) that names the file when it fills neither, with what is missing.
Initial load_initial(models::Network& network, const std::string& files);

}  // namespace steadyiqa::checkpoint
