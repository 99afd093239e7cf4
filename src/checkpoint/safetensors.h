// The safetensors container (https://github.com/huggingface/safetensors): named tensors and string metadata in one
// file that cannot run code when it is opened.
#pragma once

#include "checkpoint/tensor_info.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::checkpoint {

/// What a file holds. Dtypes F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL.
struct SafetensorsFile {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
};

struct SafetensorsHeader {
  std::map<std::string, TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads a whole file. Throws Error(kInput) that names path and problem when anything about the file is wrong.
/// The tensors own their memory (CPU, contiguous).
[[nodiscard]] SafetensorsFile read_safetensors(const std::filesystem::path& path,
                                               std::uint64_t max_bytes = 8ULL << 30U);
/// The same from memory; `name` stands for the path in messages.
[[nodiscard]] SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name);
/// Reads and checks the header alone, against the file's size: a cheap look at a big file.
[[nodiscard]] SafetensorsHeader read_safetensors_header(const std::filesystem::path& path);

/// The file's bytes, the same for the same contents: metadata sorted by key, tensors by descending dtype size, then
/// name; header padded with spaces to a multiple of 8. Tensors may live on any device and have any strides.
/// Throws Error(kInput) that names the tensor for a dtype, layout or name that the format cannot hold.
[[nodiscard]] std::vector<std::byte> serialize_safetensors(const SafetensorsFile& file);
/// Writes those bytes atomically.
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

}  // namespace steadyiqa::checkpoint
