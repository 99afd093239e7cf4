#include "checkpoint/torch_file.h"

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/zip_archive.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

constexpr std::string_view kZipStart = "PK\x03\x04";
/// A protocol 2 pickle of the number 0x1950a86a20f9469cfc6c.
constexpr std::string_view kLegacyMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15);
constexpr std::int64_t kLegacyProtocol = 1001;
constexpr std::size_t kTarMagicOffset = 257;

std::string first_bytes(const RandomAccessFile& file, std::size_t count) {
  std::string start(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), count)), '\0');
  file.read(0, std::as_writable_bytes(std::span(start)));
  return start;
}

/// What a persistent id says of a storage.
struct StorageId {
  std::string key;
  torch::Dtype dtype = torch::kFloat32;
  std::int64_t elements = 0;
  std::int64_t view_offset = 0;  ///< legacy: the id may stand for a part of the storage
  std::int64_t view_elements = 0;
};

/// An integer of the pickle in [0, max].
std::optional<std::int64_t> size_value(const PickleNode& node) {
  const bool ok = node.kind == PickleKind::kInt && node.integer >= 0;
  return ok ? std::optional(node.integer) : std::nullopt;
}

std::optional<torch::Dtype> storage_dtype(const PickleNode& type) {
  constexpr std::string_view kModule = "torch.";
  if (type.kind != PickleKind::kGlobal || type.text.rfind(kModule, 0) != 0) {
    return std::nullopt;
  }
  for (const auto& known : dtype_names()) {
    if (type.text.substr(kModule.size()) == known.torch_storage) {
      return known.dtype;
    }
  }
  return std::nullopt;
}

/// ('storage', type, key, location, elements[, view metadata]). Nothing for any other persistent id (the legacy
/// container's ('module', ...)); an error, naming `what`, for a storage that is broken or of an unknown type.
std::optional<StorageId> storage_id(const Pickle& pickle, const PickleNode& persistent, const std::string& what) {
  const auto& parts = pickle.at(persistent.items.at(0)).items;
  if (parts.empty() || pickle.at(parts[0]).text != "storage") {
    return std::nullopt;
  }
  if (parts.size() != 5 && parts.size() != 6) {
    fail_input("{}: its storage is described by {} values, not 5 or 6", what, parts.size());
  }
  const auto dtype = storage_dtype(pickle.at(parts[1]));
  if (!dtype) {
    fail_input("{}: its storage type {} is not supported (supported: {})", what, shown(pickle.at(parts[1]).text),
               supported_dtypes());
  }
  const auto& key = pickle.at(parts[2]);
  const auto elements = size_value(pickle.at(parts[4]));
  if (key.kind != PickleKind::kText || !elements || !byte_count({*elements}, *dtype)) {
    fail_input("{}: its storage has no valid key or size", what);
  }
  StorageId id{key.text, *dtype, *elements, 0, *elements};
  if (parts.size() == 6 && pickle.at(parts[5]).kind != PickleKind::kNone) {
    const auto& view = pickle.at(parts[5]).items;  // (key, offset, elements)
    const auto offset = view.size() == 3 ? size_value(pickle.at(view[1])) : std::nullopt;
    const auto size = view.size() == 3 ? size_value(pickle.at(view[2])) : std::nullopt;
    if (!offset || !size || *offset > *elements || *size > *elements - *offset) {
      fail_input("{}: its storage's view does not lie within the storage", what);
    }
    id.view_offset = *offset;
    id.view_elements = *size;
  }
  return id;
}

std::vector<std::int64_t> sizes_from(const Pickle& pickle, PickleRef ref, const std::string& what) {
  const PickleNode* node = &pickle.at(ref);
  // torch.Size(tuple)
  if (node->kind == PickleKind::kObject && pickle.at(node->items[0]).text == "torch.Size" &&
      pickle.at(node->items[1]).items.size() == 1) {
    node = &pickle.at(pickle.at(node->items[1]).items[0]);
  }
  if (node->kind != PickleKind::kTuple || node->items.size() > kMaxDims) {
    fail_input("{}: its shape or strides are no tuple of at most {} numbers", what, kMaxDims);
  }
  std::vector<std::int64_t> sizes;
  for (const auto item : node->items) {
    const auto size = size_value(pickle.at(item));
    if (!size) {
      fail_input("{}: its shape or strides hold something that is no number of 0 or more", what);
    }
    sizes.push_back(*size);
  }
  return sizes;
}

/// Holds offset + sum((size - 1) * stride) below the storage's end. Strides that move nothing become 1.
void check_bounds(StoredTensor& tensor, const StorageId& storage, const std::string& what) {
  auto& shape = tensor.info.shape;
  if (tensor.strides.size() != shape.size() || !byte_count(shape, tensor.info.dtype)) {
    fail_input("{}: its shape {} and strides {} make no tensor", what, shape_text(shape), shape_text(tensor.strides));
  }
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  std::int64_t last = tensor.offset;  // within the view
  bool fits = true;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (empty || shape[i] <= 1) {
      tensor.strides[i] = 1;
      continue;
    }
    std::int64_t step = 0;
    fits = fits && !__builtin_mul_overflow(shape[i] - 1, tensor.strides[i], &step) &&
           !__builtin_add_overflow(last, step, &last);
  }
  fits = fits && (empty ? last <= storage.view_elements : last < storage.view_elements);
  if (!fits) {
    fail_input("{}: shape {}, strides {}, offset {} reach beyond its storage of {} elements", what, shape_text(shape),
               shape_text(tensor.strides), tensor.offset, storage.view_elements);
  }
  tensor.offset += storage.view_offset;
}

class ZipStorages : public StorageSource {
 public:
  ZipStorages(std::shared_ptr<const ZipArchive> archive, std::string root)
      : archive_(std::move(archive)), root_(std::move(root)) {}
  void read(const std::string& key, std::span<std::byte> into) const override {
    archive_->read(root_ + "data/" + key, into);
  }

 private:
  std::shared_ptr<const ZipArchive> archive_;
  std::string root_;
};

/// Raw storages behind the legacy container's pickles: each a count of elements (8 bytes) and the elements.
class LegacyStorages : public StorageSource {
 public:
  explicit LegacyStorages(const std::filesystem::path& path) : path_(path.string()), file_(path) {}
  void read(const std::string& key, std::span<std::byte> into) const override {
    const auto found = places_.find(key);
    if (found == places_.end() || found->second.second != into.size()) {
      fail_input("{}: storage {} is missing or has another size", path_, shown(key));
    }
    file_.read(found->second.first, into);
  }
  /// Finds the storages named in `keys`, in their order, from `position` on.
  void locate(const Pickle& keys, const std::map<std::string, StorageId>& ids, std::uint64_t position) {
    for (const auto ref : keys.root_node().items) {
      const auto& key = keys.at(ref).text;
      const auto id = ids.find(key);
      if (id == ids.end() || places_.contains(key)) {
        fail_input("{}: the list of storages names {} twice, or no tensor uses it", path_, shown(key));
      }
      std::int64_t count = 0;
      const std::uint64_t left = file_.size() - position;
      if (left >= sizeof(count)) {
        file_.read(position, std::as_writable_bytes(std::span(&count, 1)));
      }
      const auto bytes = byte_count({id->second.elements}, id->second.dtype).value_or(left);
      if (left < sizeof(count) || bytes > left - sizeof(count)) {
        fail_input("{}: truncated: storage {} does not fit the file", path_, shown(key));
      }
      if (count != id->second.elements) {
        fail_input("{}: storage {} has {} elements, its tensors say {}", path_, shown(key), count, id->second.elements);
      }
      places_[key] = {position + sizeof(count), bytes};
      position += sizeof(count) + bytes;
    }
  }

 private:
  std::string path_;
  RandomAccessFile file_;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> places_;  ///< offset and bytes by key
};

/// All storages that the object's persistent ids name.
std::map<std::string, StorageId> storages_of(const Pickle& object, const std::string& where) {
  std::map<std::string, StorageId> ids;
  for (const auto& node : object.nodes) {
    const auto id =
        node.kind == PickleKind::kPersistent ? storage_id(object, node, where + ": a tensor") : std::nullopt;
    if (!id) {
      continue;
    }
    const auto [entry, is_new] = ids.emplace(id->key, *id);
    if (!is_new && (entry->second.dtype != id->dtype || entry->second.elements != id->elements)) {
      fail_input("{}: storage {} is described in two ways", where, shown(id->key));
    }
  }
  return ids;
}

/// Copies of the views that `names` have on one storage.
void read_views(const StorageSource& source, const std::map<std::string, StoredTensor>& tensors,
                const std::vector<std::string>& names, const std::string& where, TensorMap& into) {
  const auto& first = tensors.at(names.front());
  auto storage = torch::empty({first.storage_elements}, torch::TensorOptions().dtype(first.info.dtype));
  const std::span<std::byte> bytes(static_cast<std::byte*>(storage.data_ptr()), storage.nbytes());
  source.read(first.storage, bytes);
  if (first.info.dtype == torch::kBool) {
    require_bools(bytes, fmt::format("{}: tensor {}", where, shown(names.front())));
  }
  for (const auto& name : names) {
    const auto& tensor = tensors.at(name);
    auto view = byte_count(tensor.info.shape, tensor.info.dtype) == 0
                    ? torch::empty(tensor.info.shape, storage.options())
                    : storage.as_strided(tensor.info.shape, tensor.strides, tensor.offset);
    const bool whole = names.size() == 1 && view.is_contiguous() && view.numel() == storage.numel();
    into[name] = whole ? view : view.clone(torch::MemoryFormat::Contiguous);
  }
}

}  // namespace

bool looks_like_torch_file(const std::filesystem::path& path) {
  const auto start = first_bytes(RandomAccessFile(path), kLegacyMagic.size());
  // A safetensors header of 640 bytes begins as a pickle does; its length has zeros and a brace behind it.
  if (start.size() > 8 && start[8] == '{' && start.substr(4, 4) == std::string(4, '\0')) {
    return false;
  }
  // A bare pickle (0x80, protocol) as well, so that it gets this reader's message.
  return start.rfind(kZipStart, 0) == 0 || start.rfind("PK\x05\x06", 0) == 0 ||
         (start.size() > 1 && start[0] == kLegacyMagic[0] && start[1] >= 2 && start[1] <= 5);
}

TorchFile::TorchFile(const std::filesystem::path& path) : path_(path.string()) {
  const RandomAccessFile file(path);
  file_size_ = file.size();
  const auto start = first_bytes(file, kTarMagicOffset + 5);
  if (start.rfind(kZipStart, 0) == 0) {
    open_zip(path);
  } else if (start.rfind(kLegacyMagic, 0) == 0) {
    open_legacy(path);
  } else if (start.size() > kTarMagicOffset && start.substr(kTarMagicOffset) == "ustar") {
    fail_input("{}: a tar archive of a very early PyTorch; load it there and save its state_dict", path_);
  } else {
    fail_input("{}: not a file of torch.save (a pickle without its header, or something else)", path_);
  }
}

void TorchFile::open_zip(const std::filesystem::path& path) {
  container_ = "PyTorch zip";
  auto archive = std::make_shared<ZipArchive>(path);
  constexpr std::string_view kPickle = "data.pkl";
  std::string root;
  for (const auto& [name, size] : archive->sizes()) {
    const auto slash = name.find('/');
    if (slash == std::string::npos || name.substr(slash + 1) != kPickle) {
      continue;
    }
    if (!root.empty()) {
      fail_input("{}: the archive holds more than one {}", path_, kPickle);
    }
    root = name.substr(0, slash + 1);
  }
  if (root.empty()) {
    fail_input("{}: a zip archive, but not of torch.save (no {})", path_, kPickle);
  }
  const auto& sizes = archive->sizes();
  const auto code = sizes.lower_bound(root + "code/");
  if (sizes.contains(root + "constants.pkl") || (code != sizes.end() && code->first.rfind(root + "code/", 0) == 0)) {
    fail_input("{}: a TorchScript archive holds a program, not a checkpoint; save the model's state_dict", path_);
  }
  if (sizes.contains(root + "byteorder")) {
    const auto order = archive->read(root + "byteorder", 16);
    if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little") {
      fail_input("{}: big-endian data are not supported", path_);
    }
  }
  object_ = read_pickle(archive->read(root + std::string(kPickle), kMaxPickleBytes), path_);
  storages_ = std::make_unique<ZipStorages>(std::move(archive), root);
}

void TorchFile::open_legacy(const std::filesystem::path& path) {
  container_ = "PyTorch legacy";
  const RandomAccessFile file(path);
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), kMaxPickleBytes)));
  file.read(0, bytes);
  std::size_t position = kLegacyMagic.size();
  const auto next = [&](const char* what) {
    auto pickle = read_pickle(std::span(bytes).subspan(position), fmt::format("{}: {}", path_, what));
    position += pickle.bytes;
    return pickle;
  };
  const auto protocol = next("the protocol");
  if (protocol.root_node().kind != PickleKind::kInt || protocol.root_node().integer != kLegacyProtocol) {
    fail_input("{}: the legacy container has another protocol than {}", path_, kLegacyProtocol);
  }
  const auto system = next("the system's description");
  const auto* little = system.find(system.root_node(), "little_endian");
  if (little == nullptr || system.at(*little).kind != PickleKind::kBool || system.at(*little).integer == 0) {
    fail_input("{}: big-endian data are not supported", path_);
  }
  object_ = next("the object");
  const auto keys = next("the list of storages");
  auto storages = std::make_unique<LegacyStorages>(path);
  storages->locate(keys, storages_of(object_, path_), position);
  storages_ = std::move(storages);
}

std::optional<StoredTensor> TorchFile::tensor(PickleRef ref, const std::string& name) const {
  const PickleNode* node = &object_.at(ref);
  const auto made_by = [&](std::string_view function) {
    return node->kind == PickleKind::kObject && object_.at(node->items[0]).text == function;
  };
  // A Parameter is (tensor, requires_grad, hooks[, state]); one within another does not exist.
  if (made_by("torch._utils._rebuild_parameter") || made_by("torch._utils._rebuild_parameter_with_state")) {
    const auto& arguments = object_.at(node->items[1]).items;
    if (arguments.empty()) {
      fail_input("{}: tensor {}: a Parameter without its tensor", path_, shown(name));
    }
    node = &object_.at(arguments[0]);
  }
  if (!made_by("torch._utils._rebuild_tensor_v2") && !made_by("torch._utils._rebuild_tensor")) {
    return std::nullopt;
  }
  const auto what = fmt::format("{}: tensor {}", path_, shown(name));
  const auto& arguments = object_.at(node->items[1]).items;  // storage, offset, shape, strides, ...
  if (arguments.size() < 4 || object_.at(arguments[0]).kind != PickleKind::kPersistent) {
    fail_input("{}: it has no storage, offset, shape and strides", what);
  }
  const auto storage = storage_id(object_, object_.at(arguments[0]), what);
  const auto offset = size_value(object_.at(arguments[1]));
  if (!storage || !offset) {
    fail_input("{}: its storage or offset is broken", what);
  }
  StoredTensor tensor;
  tensor.info = {storage->dtype, sizes_from(object_, arguments[2], what)};
  tensor.strides = sizes_from(object_, arguments[3], what);
  tensor.offset = *offset;
  tensor.storage = storage->key;
  tensor.storage_elements = storage->elements;
  check_bounds(tensor, *storage, what);
  return tensor;
}

TensorMap TorchFile::read(const std::map<std::string, StoredTensor>& tensors) const {
  std::map<std::string, std::vector<std::string>> users;
  std::uint64_t total = 0;
  for (const auto& [name, tensor] : tensors) {
    users[tensor.storage].push_back(name);
    const auto& first = tensors.at(users[tensor.storage].front());
    if (first.info.dtype != tensor.info.dtype || first.storage_elements != tensor.storage_elements) {
      fail_input("{}: tensor {}: storage {} is described in two ways", path_, shown(name), shown(tensor.storage));
    }
    const auto bytes = byte_count(tensor.info.shape, tensor.info.dtype).value_or(file_size_);
    const auto storage = byte_count({tensor.storage_elements}, tensor.info.dtype).value_or(file_size_);
    total += std::min(bytes, 2 * file_size_ + 1);
    if (total > 2 * file_size_ || storage > file_size_) {
      fail_input("{}: tensor {}: the tensors need more than twice the file's {} bytes", path_, shown(name), file_size_);
    }
  }
  TensorMap read;
  for (const auto& [key, names] : users) {
    read_views(*storages_, tensors, names, path_, read);
  }
  return read;
}

}  // namespace steadyiqa::checkpoint
