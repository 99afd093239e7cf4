#include "checkpoint/safetensors.h"

#include "base/error.h"
#include "base/file.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::uint64_t kAlignment = 8;
constexpr std::string_view kMetadataKey = "__metadata__";

struct Entry {
  std::string name;
  TensorInfo info;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct Layout {
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
};

/// Takes the header's JSON as events, so that no tree is built, depth costs nothing (the first level that the format
/// does not have is refused) and duplicate keys are seen.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderHandler(std::string file) : file_(std::move(file)) {}

  [[nodiscard]] Layout take() { return std::move(layout_); }

  bool null() override { return refuse("null"); }
  bool boolean(bool /*value*/) override { return refuse("a boolean"); }
  bool number_integer(number_integer_t /*value*/) override { return refuse("a negative number"); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
    return refuse("a fraction or a number that is too large");
  }
  bool binary(binary_t& /*value*/) override { return refuse("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::kShape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        fail_input("{}: tensor {}: dimension {} is too large", file_, shown(entry_.name), value);
      }
      if (entry_.info.shape.size() == kMaxDims) {
        fail_input("{}: tensor {} has more than {} dimensions", file_, shown(entry_.name), kMaxDims);
      }
      entry_.info.shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (state_ == State::kOffsets) {
      if (offset_count_ == 2) {
        fail_input("{}: tensor {}: data_offsets holds more than two numbers", file_, shown(entry_.name));
      }
      (offset_count_ == 0 ? entry_.begin : entry_.end) = value;
      ++offset_count_;
      return true;
    }
    return refuse("a number");
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadata) {
      layout_.metadata[field_] = value;
      return true;
    }
    if (state_ == State::kEntry && field_ == "dtype") {
      const auto dtypes = dtype_names();
      const auto found = std::find_if(dtypes.begin(), dtypes.end(), [&](const auto& d) { return d.name == value; });
      if (found == dtypes.end()) {
        fail_input("{}: tensor {}: dtype {} is not supported (supported: {})", file_, shown(entry_.name), shown(value),
                   supported_dtypes());
      }
      entry_.info.dtype = found->dtype;
      return true;
    }
    return refuse("a string");
  }

  bool start_object(std::size_t /*elements*/) override {
    if (state_ == State::kStart) {
      state_ = State::kTop;
    } else if (state_ == State::kTop) {
      state_ = entry_.name == kMetadataKey ? State::kMetadata : State::kEntry;
    } else {
      return refuse("an object");
    }
    keys_.clear();
    return true;
  }

  bool key(string_t& value) override {
    std::set<std::string>& seen = state_ == State::kTop ? top_keys_ : keys_;
    if (!seen.insert(value).second) {
      const std::string where = state_ == State::kTop ? "" : fmt::format(" in {}", shown(entry_.name));
      fail_input("{}: key {} occurs twice{}", file_, shown(value), where);
    }
    if (state_ == State::kTop) {
      entry_ = Entry{};
      entry_.name = value;
      offset_count_ = 0;
      return true;
    }
    if (state_ == State::kEntry && value != "dtype" && value != "shape" && value != "data_offsets") {
      fail_input("{}: tensor {} has the unknown key {}", file_, shown(entry_.name), shown(value));
    }
    field_ = value;
    return true;
  }

  bool end_object() override {
    if (state_ == State::kEntry) {
      for (const char* required : {"dtype", "shape", "data_offsets"}) {
        if (!keys_.contains(required)) {
          fail_input("{}: tensor {} has no {}", file_, shown(entry_.name), required);
        }
      }
      if (layout_.entries.size() == kMaxTensors) {
        fail_input("{}: the header names more than {} tensors", file_, kMaxTensors);
      }
      layout_.entries.push_back(std::move(entry_));
    }
    state_ = State::kTop;
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    if (state_ == State::kEntry && field_ != "dtype") {
      state_ = field_ == "shape" ? State::kShape : State::kOffsets;
      return true;
    }
    return refuse("an array");
  }

  bool end_array() override {
    if (state_ == State::kOffsets && offset_count_ != 2) {
      fail_input("{}: tensor {}: data_offsets does not hold two numbers", file_, shown(entry_.name));
    }
    state_ = State::kEntry;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& /*error*/) override {
    fail_input("{}: the header is not valid JSON (byte {} of the header)", file_, position);
  }

 private:
  enum class State { kStart, kTop, kMetadata, kEntry, kShape, kOffsets };

  /// Throws: `what` may not stand here.
  bool refuse(std::string_view what) const {
    switch (state_) {
      case State::kStart:
        fail_input("{}: the header is {}, not an object", file_, what);
      case State::kTop:
        fail_input("{}: the value of {} is {}, not an object", file_, shown(entry_.name), what);
      case State::kMetadata:
        fail_input("{}: the metadata value of {} is {}, not a string", file_, shown(field_), what);
      case State::kEntry:
        fail_input("{}: tensor {}: {} is {}, not {}", file_, shown(entry_.name), field_, what,
                   field_ == "dtype" ? "a string" : "an array");
      case State::kShape:
      case State::kOffsets:
        break;
    }
    fail_input("{}: tensor {}: {} holds {}, not an integer of 0 or more", file_, shown(entry_.name), field_, what);
  }

  std::string file_;
  State state_ = State::kStart;
  Layout layout_;
  Entry entry_;  // while in State::kTop only its name is set: the key whose value comes next
  std::string field_;
  std::size_t offset_count_ = 0;
  std::set<std::string> top_keys_;
  std::set<std::string> keys_;
};

/// Sorts the entries by offset and holds them to covering the data section exactly once.
void check_offsets(std::vector<Entry>& entries, std::uint64_t data_size, const std::string& file) {
  // By end as well: an empty tensor lies before the one that starts at the same place.
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  std::uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.end < entry.begin) {
      fail_input("{}: tensor {}: data_offsets [{}, {}] run backwards", file, shown(entry.name), entry.begin, entry.end);
    }
    const std::optional<std::uint64_t> bytes = byte_count(entry.info.shape, entry.info.dtype);
    if (!bytes) {
      fail_input("{}: tensor {}: the shape's size overflows", file, shown(entry.name));
    }
    if (entry.end - entry.begin != *bytes) {
      fail_input("{}: tensor {} has {} bytes of data, its shape and dtype need {}", file, shown(entry.name),
                 entry.end - entry.begin, *bytes);
    }
    if (entry.begin != covered) {
      fail_input("{}: tensor {} starts at data byte {}, {} (byte {})", file, shown(entry.name), entry.begin,
                 entry.begin > covered ? "leaving a hole after the previous one" : "overlapping the previous one",
                 covered);
    }
    covered = entry.end;
  }
  if (covered != data_size) {
    fail_input("{}: the tensors need {} bytes of data, the file has {}: {}", file, covered, data_size,
               covered > data_size ? "it is truncated" : "bytes trail behind the last tensor");
  }
}

Layout parse_header(std::string_view json, std::uint64_t data_size, const std::string& file) {
  if (json.empty() || json.front() != '{') {
    fail_input("{}: not a safetensors file: the header does not start with '{{'", file);
  }
  // To the JSON library a NUL ends the text; whatever stood behind it would go unread.
  if (json.find('\0') != std::string_view::npos) {
    fail_input("{}: the header is not valid JSON: it holds a NUL byte", file);
  }
  HeaderHandler handler(file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &handler);
  Layout layout = handler.take();
  check_offsets(layout.entries, data_size, file);
  return layout;
}

/// The header's length, from the file's first bytes.
std::uint64_t header_length(std::span<const std::byte> start, std::uint64_t file_size, const std::string& file) {
  if (file_size < kLengthBytes || start.size() < kLengthBytes) {
    fail_input("{}: not a safetensors file: {} bytes are too few", file, file_size);
  }
  std::uint64_t length = 0;
  std::memcpy(&length, start.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) {
    fail_input("{}: not a safetensors file: a header of {} bytes is over the limit of {}", file, length,
               kMaxHeaderBytes);
  }
  if (length > file_size - kLengthBytes) {
    fail_input("{}: the header of {} bytes does not fit the file of {} bytes: it is truncated", file, length,
               file_size);
  }
  return length;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  // char may alias any object; the reverse view of the same bytes.
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

torch::Tensor make_tensor(const Entry& entry, std::span<const std::byte> data, const std::string& file) {
  torch::Tensor tensor = torch::empty(entry.info.shape, torch::TensorOptions().dtype(entry.info.dtype));
  const auto bytes = data.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(tensor.nbytes()));
  if (entry.info.dtype == torch::kBool) {
    require_bools(bytes, fmt::format("{}: tensor {}", file, shown(entry.name)));
  }
  if (!bytes.empty()) {
    std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  }
  return tensor;
}

/// A tensor ready to be written: CPU, contiguous, checked.
struct Output {
  std::string name;
  std::string_view dtype;
  torch::Tensor tensor;
};

Output make_output(const std::string& name, const torch::Tensor& tensor) {
  if (name == kMetadataKey) {
    fail_input("tensor name {} is reserved by the format", shown(name));
  }
  if (!tensor.defined()) {
    fail_input("tensor {} is undefined", shown(name));
  }
  const auto* found = find_dtype(tensor.scalar_type());
  if (found == nullptr) {
    fail_input("tensor {}: dtype {} is not supported (supported: {})", shown(name),
               torch::toString(tensor.scalar_type()), supported_dtypes());
  }
  if (tensor.layout() != torch::kStrided) {
    fail_input("tensor {} is sparse: only dense tensors can be written", shown(name));
  }
  if (static_cast<std::size_t>(tensor.dim()) > kMaxDims) {
    fail_input("tensor {} has more than {} dimensions", shown(name), kMaxDims);
  }
  return {name, found->name, tensor.detach().to(torch::kCPU).resolve_neg().contiguous()};
}

std::vector<Output> sorted_outputs(const TensorMap& tensors) {
  if (tensors.size() > kMaxTensors) {
    fail_input("{} tensors are more than {}", tensors.size(), kMaxTensors);
  }
  std::vector<Output> outputs;
  for (const auto& [name, tensor] : tensors) {
    outputs.push_back(make_output(name, tensor));
  }
  // Stable on the map's order by name. Larger items first keeps each one aligned to its own size.
  std::stable_sort(outputs.begin(), outputs.end(),
                   [](const Output& a, const Output& b) { return a.tensor.element_size() > b.tensor.element_size(); });
  return outputs;
}

/// The padded header for outputs in the order of their data.
std::string make_header(const std::vector<Output>& outputs, const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    header[std::string(kMetadataKey)] = metadata;
  }
  std::uint64_t offset = 0;
  for (const Output& output : outputs) {
    const std::uint64_t end = offset + output.tensor.nbytes();
    header.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(
        output.name,
        nlohmann::ordered_json{
            {"dtype", output.dtype}, {"shape", output.tensor.sizes().vec()}, {"data_offsets", {offset, end}}});
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail_input("a tensor name or a metadata text is not valid UTF-8");
  }
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  if (text.size() > kMaxHeaderBytes) {
    fail_input("a header of {} bytes is over the format's limit of {}", text.size(), kMaxHeaderBytes);
  }
  return text;
}

void append(std::vector<std::byte>& bytes, const void* data, std::size_t size) {
  const auto* first = static_cast<const std::byte*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

}  // namespace

SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  const auto length = static_cast<std::size_t>(header_length(bytes, bytes.size(), name));
  const auto data = bytes.subspan(kLengthBytes + length);
  Layout layout = parse_header(as_text(bytes.subspan(kLengthBytes, length)), data.size(), name);
  SafetensorsFile file;
  file.metadata = std::move(layout.metadata);
  for (const Entry& entry : layout.entries) {
    file.tensors.emplace(entry.name, make_tensor(entry, data, name));
  }
  return file;
}

SafetensorsFile read_safetensors(const std::filesystem::path& path, std::uint64_t max_bytes) {
  return parse_safetensors(read_file(path, max_bytes), path.string());
}

SafetensorsHeader read_safetensors_header(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    fail_input("{}: no such file, or not a regular file", name);
  }
  const std::uint64_t file_size = std::filesystem::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  if (error || !stream) {
    fail_input("{}: cannot be read", name);
  }
  std::array<char, kLengthBytes> start{};
  stream.read(start.data(), kLengthBytes);
  const auto got = static_cast<std::size_t>(stream.gcount());
  const std::uint64_t length = header_length(std::as_bytes(std::span(start).first(got)), file_size, name);
  std::string json(static_cast<std::size_t>(length), '\0');
  if (!stream.read(json.data(), static_cast<std::streamsize>(length))) {
    fail_input("{}: the header cannot be read", name);
  }
  Layout layout = parse_header(json, file_size - kLengthBytes - length, name);
  SafetensorsHeader header;
  header.metadata = std::move(layout.metadata);
  for (Entry& entry : layout.entries) {
    header.tensors.emplace(std::move(entry.name), std::move(entry.info));
  }
  return header;
}

std::vector<std::byte> serialize_safetensors(const SafetensorsFile& file) {
  const std::vector<Output> outputs = sorted_outputs(file.tensors);
  const std::string header = make_header(outputs, file.metadata);
  std::size_t size = kLengthBytes + header.size();
  for (const Output& output : outputs) {
    size += output.tensor.nbytes();
  }
  std::vector<std::byte> bytes;
  bytes.reserve(size);
  const std::uint64_t length = header.size();
  append(bytes, &length, kLengthBytes);
  append(bytes, header.data(), header.size());
  for (const Output& output : outputs) {
    append(bytes, output.tensor.data_ptr(), output.tensor.nbytes());
  }
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  std::vector<std::byte> bytes;
  try {
    bytes = serialize_safetensors(file);
  } catch (const Error& error) {
    fail(error.kind(), "{}: {}", path.string(), error.what());
  }
  write_file_atomic(path, bytes);
}

}  // namespace steadyiqa::checkpoint
