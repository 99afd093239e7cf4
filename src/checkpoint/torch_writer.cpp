#include "checkpoint/torch_writer.h"

#include "base/error.h"
#include "base/file.h"

#include <torch/torch.h>
#include <zlib.h>

#include <cstdint>
#include <limits>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

constexpr std::size_t kPayloadAlignment = 64;
constexpr std::uint64_t kMaxArchiveBytes =
    0xFFFFFFFFULL - (64ULL << 20U);  // without zip64, with room for its directory
constexpr std::size_t kMaxArchiveMembers = 0xFFFF - 3;

/// Appends little-endian numbers and text.
class Bytes {
 public:
  template <class T>
  Bytes& number(T value) {
    append(&value, sizeof(value));
    return *this;
  }
  Bytes& text(std::string_view value) {
    append(value.data(), value.size());
    return *this;
  }
  void append(const void* data, std::size_t size) {
    const auto* first = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  void reserve(std::size_t size) { bytes_.reserve(size); }
  [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }
  [[nodiscard]] std::span<const std::byte> view() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// A stored zip archive (APPNOTE.TXT 6.3, no zip64).
class ZipWriter {
 public:
  void reserve(std::size_t size) { bytes_.reserve(size); }
  void add(const std::string& name, std::span<const std::byte> data) {
    Member member{name, static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(data.size()), 0};
    member.crc = static_cast<std::uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));  // Bytef is unsigned char
    constexpr std::size_t kLocalHeader = 30;
    constexpr std::size_t kExtraHeader = 4;
    const auto start = bytes_.size() + kLocalHeader + name.size() + kExtraHeader;
    const auto padding = (kPayloadAlignment - start % kPayloadAlignment) % kPayloadAlignment;
    bytes_.text("PK\x03\x04");
    header(member);
    bytes_.number(static_cast<std::uint16_t>(kExtraHeader + padding)).text(name);
    // PyTorch's own padding field: "FB", then any bytes.
    bytes_.text("FB").number(static_cast<std::uint16_t>(padding)).text(std::string(padding, 'Z'));
    bytes_.append(data.data(), data.size());
    members_.push_back(std::move(member));
  }
  [[nodiscard]] std::vector<std::byte> finish() {
    const auto start = bytes_.size();
    for (const auto& member : members_) {
      bytes_.text("PK\x01\x02").number(std::uint16_t{20});  // made by version 2.0
      header(member);
      bytes_.number(std::uint16_t{0}).number(std::uint16_t{0}).number(std::uint16_t{0}).number(std::uint16_t{0});
      bytes_.number(std::uint32_t{0}).number(member.offset).text(member.name);
    }
    const auto count = static_cast<std::uint16_t>(members_.size());
    const auto size = static_cast<std::uint32_t>(bytes_.size() - start);
    bytes_.text("PK\x05\x06").number(std::uint16_t{0}).number(std::uint16_t{0}).number(count).number(count);
    bytes_.number(size).number(static_cast<std::uint32_t>(start)).number(std::uint16_t{0});
    return bytes_.take();
  }

 private:
  struct Member {
    std::string name;
    std::uint32_t offset, size, crc;
  };
  /// What local and central headers share: version needed, UTF-8 names, stored, 1980-01-01 0:00, CRC, sizes, name size.
  void header(const Member& member) {
    bytes_.number(std::uint16_t{20}).number(std::uint16_t{0x0800}).number(std::uint16_t{0});
    bytes_.number(std::uint16_t{0}).number(std::uint16_t{0x0021});
    bytes_.number(member.crc).number(member.size).number(member.size);
    bytes_.number(static_cast<std::uint16_t>(member.name.size()));
  }
  Bytes bytes_;
  std::vector<Member> members_;
};

/// A protocol 2 pickle, in the opcodes that PyTorch's own restricted reader knows.
class PickleWriter {
 public:
  PickleWriter() { bytes_.text("\x80\x02"); }
  void ordered_dict() { bytes_.text("ccollections\nOrderedDict\n)R"); }
  void text(std::string_view value) { bytes_.text("X").number(static_cast<std::uint32_t>(value.size())).text(value); }
  void code(std::string_view opcodes) { bytes_.text(opcodes); }
  void integer(std::int64_t value) { bytes_.text("\x8a").number(std::uint8_t{sizeof(value)}).number(value); }
  void integers(const std::vector<std::int64_t>& values) {
    code("(");
    for (const auto value : values) {
      integer(value);
    }
    code("t");
  }
  void tensor(const torch::Tensor& tensor, const DtypeName& dtype, const std::string& key) {
    code("ctorch._utils\n_rebuild_tensor_v2\n((");
    text("storage");
    code(fmt::format("ctorch\n{}\n", dtype.torch_storage));
    text(key);
    text("cpu");
    integer(tensor.numel());
    code("tQ");
    integer(0);
    integers(tensor.sizes().vec());
    integers(tensor.strides().vec());
    code("\x89");  // requires_grad
    ordered_dict();
    code("tR");
  }
  [[nodiscard]] std::span<const std::byte> finish() {
    code(".");
    return bytes_.view();
  }

 private:
  Bytes bytes_;
};

/// CPU, contiguous. Throws for what the format or this writer cannot hold.
torch::Tensor writable(const std::string& name, const torch::Tensor& tensor) {
  if (!tensor.defined() || tensor.layout() != torch::kStrided || find_dtype(tensor.scalar_type()) == nullptr) {
    fail_input("tensor {} is undefined, sparse or of a dtype that is not supported (supported: {})", shown(name),
               supported_dtypes());
  }
  return tensor.detach().to(torch::kCPU).resolve_neg().contiguous();
}

}  // namespace

std::vector<std::byte> serialize_torch_zip(const TensorMap& tensors, const std::map<std::string, std::string>& texts) {
  std::map<std::string, torch::Tensor> outputs;
  std::uint64_t total = 0;
  for (const auto& [name, tensor] : tensors) {
    total += outputs.emplace(name, writable(name, tensor)).first->second.nbytes();
  }
  if (total > kMaxArchiveBytes || outputs.size() > kMaxArchiveMembers) {
    fail_input("{} bytes in {} tensors are too large for this format here: write .safetensors", total, outputs.size());
  }
  PickleWriter pickle;
  if (!texts.empty()) {
    pickle.code("}(");
    pickle.text("state_dict");
  }
  pickle.ordered_dict();
  pickle.code("(");
  std::size_t index = 0;
  for (const auto& [name, tensor] : outputs) {
    pickle.text(name);
    pickle.tensor(tensor, *find_dtype(tensor.scalar_type()), std::to_string(index++));
  }
  pickle.code("u");
  if (!texts.empty()) {
    for (const auto& [name, value] : texts) {
      pickle.text(name);
      pickle.text(value);
    }
    pickle.code("u");
  }
  ZipWriter zip;
  zip.reserve(static_cast<std::size_t>(total) + outputs.size() * 256);
  zip.add("archive/data.pkl", pickle.finish());
  index = 0;
  for (const auto& [name, tensor] : outputs) {
    const auto* data = static_cast<const std::byte*>(tensor.data_ptr());
    zip.add("archive/data/" + std::to_string(index++), {data, tensor.nbytes()});
  }
  zip.add("archive/version", std::as_bytes(std::span("3\n", 2)));
  return zip.finish();
}

void write_torch_zip(const std::filesystem::path& path, const TensorMap& tensors,
                     const std::map<std::string, std::string>& texts) {
  std::vector<std::byte> bytes;
  try {
    bytes = serialize_torch_zip(tensors, texts);
  } catch (const Error& error) {
    fail(error.kind(), "{}: {}", path.string(), error.what());
  }
  write_file_atomic(path, bytes);
}

}  // namespace steadyiqa::checkpoint
