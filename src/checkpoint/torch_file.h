// Files that torch.save wrote, in the zip container (PyTorch 1.6 and later) and the legacy one: the pickled object, and
// the tensors' storages, which are read one by one when they are asked for.
#pragma once

#include "checkpoint/pickle.h"
#include "checkpoint/tensor_info.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace steadyiqa::checkpoint {

/// A view into a storage of the file, its bounds checked.
struct StoredTensor {
  TensorInfo info;
  std::vector<std::int64_t> strides;  ///< elements
  std::int64_t offset = 0;            ///< elements from the storage's start
  std::string storage;                ///< its key
  std::int64_t storage_elements = 0;  ///< of the tensor's dtype
};

/// Where a container keeps its storages.
class StorageSource {
 public:
  virtual ~StorageSource() = default;
  /// Fills `into` with the whole storage; Error(kInput) when it is missing or has another size.
  virtual void read(const std::string& key, std::span<std::byte> into) const = 0;
};

class TorchFile {
 public:
  /// Reads the pickles, not the storages. Throws Error(kInput) that names the path: not written by torch.save,
  /// TorchScript, big-endian, or broken.
  explicit TorchFile(const std::filesystem::path& path);

  [[nodiscard]] const std::string& container() const { return container_; }
  [[nodiscard]] const Pickle& object() const { return object_; }
  /// The tensor that a value of the object is (a Parameter, too); nothing when it is something else. Throws
  /// Error(kInput) for a broken one, naming `name`.
  [[nodiscard]] std::optional<StoredTensor> tensor(PickleRef ref, const std::string& name) const;
  /// Reads those tensors: CPU, contiguous, dtype as stored, each with memory of its own. Reads each storage once and
  /// only storages that are needed; refuses tensors that together need more than twice the file (views that repeat a
  /// storage).
  [[nodiscard]] TensorMap read(const std::map<std::string, StoredTensor>& tensors) const;

 private:
  void open_zip(const std::filesystem::path& path);
  void open_legacy(const std::filesystem::path& path);

  std::string path_;
  std::uint64_t file_size_ = 0;
  std::string container_;
  Pickle object_;
  std::unique_ptr<StorageSource> storages_;
};

/// Whether the file starts as one of torch.save's containers does.
[[nodiscard]] bool looks_like_torch_file(const std::filesystem::path& path);

}  // namespace steadyiqa::checkpoint
