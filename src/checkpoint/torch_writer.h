// Writing checkpoints that torch.load(weights_only=True) reads: the zip container of PyTorch 1.6 and later.
#pragma once

#include "checkpoint/tensor_info.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace steadyiqa::checkpoint {

/// The archive's bytes, the same for the same contents: members stored, payloads 64-byte aligned, no times. The object
/// is an OrderedDict of the tensors, or with `texts`: {'state_dict': that, name: text, ...}.
/// Throws Error(kInput) that names the tensor for a dtype or layout that cannot be written, and from 4 GiB on.
[[nodiscard]] std::vector<std::byte> serialize_torch_zip(const TensorMap& tensors,
                                                         const std::map<std::string, std::string>& texts);
/// Writes those bytes atomically.
void write_torch_zip(const std::filesystem::path& path, const TensorMap& tensors,
                     const std::map<std::string, std::string>& texts);

}  // namespace steadyiqa::checkpoint
