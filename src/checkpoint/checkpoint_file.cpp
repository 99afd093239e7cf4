#include "checkpoint/checkpoint_file.h"

#include "base/error.h"
#include "base/text.h"
#include "checkpoint/torch_contents.h"
#include "checkpoint/torch_file.h"

#include <torch/torch.h>

#include <utility>

namespace steadyiqa::checkpoint {
namespace {

/// Takes the common prefixes off every name.
template <class T>
void strip_prefixes(std::map<std::string, T>& tensors, std::vector<std::string>& wrapping) {
  std::vector<std::string> names;
  names.reserve(tensors.size());
  for (const auto& [name, value] : tensors) {
    names.push_back(name);
  }
  const auto skip = common_prefix(names, wrapping);
  if (skip == 0) {
    return;
  }
  std::map<std::string, T> stripped;
  for (auto& [name, value] : tensors) {
    stripped.emplace(name.substr(skip), std::move(value));
  }
  tensors = std::move(stripped);
}

/// A torch.save file: `contents` with its names stripped, and what is told of it.
CheckpointInfo torch_info(const TorchFile& file, TorchContents& contents, const std::string& where) {
  strip_prefixes(contents.tensors, contents.wrapping);
  if (contents.tensors.empty()) {
    fail_input("{}: a {} file without tensors", where, file.container());
  }
  CheckpointInfo info;
  info.container = file.container();
  info.wrapping = std::move(contents.wrapping);
  for (const auto& [name, tensor] : contents.tensors) {
    info.tensors.emplace(name, tensor.info);
  }
  info.scalars = std::move(contents.scalars);
  info.others = std::move(contents.others);
  const auto own = info.scalars.find(kModelMetadata);
  if (own != info.scalars.end() && own->second.is_string()) {
    info.metadata.emplace(kModelMetadata, own->second.get<std::string>());
    info.scalars.erase(own);
  }
  info.detected = detect_model(info.tensors);
  return info;
}

}  // namespace

CheckpointInfo inspect_checkpoint(const std::filesystem::path& path) {
  if (lower(path.extension().string()) == ".onnx") {
    fail_input("{}: an exported model is for steadyiqa-score; here the file that it was exported from is wanted",
               path.string());
  }
  if (looks_like_torch_file(path)) {
    const TorchFile file(path);
    auto contents = torch_contents(file, path.string());
    return torch_info(file, contents, path.string());
  }
  auto header = read_safetensors_header(path);
  CheckpointInfo info;
  info.container = "safetensors";
  info.tensors = std::move(header.tensors);
  info.metadata = std::move(header.metadata);
  strip_prefixes(info.tensors, info.wrapping);
  info.detected = detect_model(info.tensors);
  return info;
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  Checkpoint checkpoint;
  if (looks_like_torch_file(path)) {
    const TorchFile file(path);
    auto contents = torch_contents(file, path.string());
    checkpoint.info = torch_info(file, contents, path.string());
    checkpoint.tensors = file.read(contents.tensors);
    return checkpoint;
  }
  checkpoint.info = inspect_checkpoint(path);
  checkpoint.tensors = read_safetensors(path).tensors;
  std::vector<std::string> ignored;
  strip_prefixes(checkpoint.tensors, ignored);
  return checkpoint;
}

}  // namespace steadyiqa::checkpoint
