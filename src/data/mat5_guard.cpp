// The format: "MAT-File Format", The MathWorks, chapter 1 (level 5 files).
#include "data/mat5_guard.h"

#include "base/error.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace steadyiqa::data {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kHeaderBytes = 128;
constexpr std::size_t kMaxUnpackedBytes = 8ULL << 20U;
constexpr std::uint32_t kMatrixType = 14;
constexpr std::uint32_t kCompressedType = 15;
constexpr std::uint32_t kCellClass = 1;
constexpr std::uint32_t kCharClass = 4;
constexpr std::uint32_t kDoubleClass = 6;
constexpr std::uint32_t kUint64Class = 15;

struct Element {
  std::uint32_t type = 0;
  Bytes data;
};

std::uint32_t read_word(Bytes bytes, std::size_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof(word));
  return word;
}

class Guard {
 public:
  explicit Guard(const std::string& name) : name_(name) {}

  void check_file(Bytes bytes) {
    if (bytes.size() < kHeaderBytes) {
      fail_input("{}: {} bytes are too few for a MATLAB v5 file", name_, bytes.size());
    }
    using namespace std::string_view_literals;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 520));
    if (text.starts_with("MATLAB 7.3") || text.find("\x89HDF\r\n\x1a\n"sv) != std::string_view::npos) {
      fail_input("{}: MATLAB 7.3 (HDF5), which is not read: save it with -v7, or export the list as CSV", name_);
    }
    const std::string_view mark(reinterpret_cast<const char*>(bytes.data()) + kHeaderBytes - 4, 4);
    if (mark != "\x00\x01IM"sv) {
      fail_input("{}: not a little-endian MATLAB v5 file", name_);
    }
    Bytes rest = bytes.subspan(kHeaderBytes);
    while (!rest.empty()) {
      const Element element = take(rest);
      if (element.type == kCompressedType) {
        const std::vector<std::byte> unpacked = unpack(element.data);
        Bytes inner = unpacked;
        check_matrix(take(inner), true);
      } else {
        check_matrix(element, true);
      }
    }
  }

 private:
  [[noreturn]] void fail_damaged(std::string_view what) const { fail_input("{}: damaged: {}", name_, what); }

  /// Cuts the first element off `rest`.
  Element take(Bytes& rest) const {
    if (rest.size() < 8) {
      fail_damaged("the file ends within a tag");
    }
    const std::uint32_t first = read_word(rest, 0);
    if (first >> 16U != 0) {  // at most 4 bytes of data share the tag with type and size
      const Element small{first & 0xffffU, rest.subspan(4, std::min<std::size_t>(first >> 16U, 4))};
      rest = rest.subspan(8);
      return small;
    }
    const std::size_t size = read_word(rest, 4);
    if (size > rest.size() - 8) {
      fail_damaged("the file ends within an element");
    }
    const Element element{first, rest.subspan(8, size)};
    const std::size_t padded = first == kCompressedType ? size : (size + 7) / 8 * 8;
    rest = rest.subspan(std::min(8 + padded, rest.size()));
    return element;
  }

  std::vector<std::byte> unpack(Bytes packed) {
    std::vector<std::byte> unpacked;
    z_stream stream{};
    if (inflateInit(&stream) != Z_OK) {
      fail_input("{}: zlib does not start", name_);
    }
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));  // zlib does not write to it
    stream.avail_in = static_cast<uInt>(packed.size());
    int status = Z_OK;
    while (status == Z_OK && unpacked.size() <= kMaxUnpackedBytes) {
      const std::size_t done = unpacked.size();
      unpacked.resize(done + (1U << 16U));
      stream.next_out = reinterpret_cast<Bytef*>(unpacked.data() + done);
      stream.avail_out = 1U << 16U;
      status = inflate(&stream, Z_NO_FLUSH);
      unpacked.resize(unpacked.size() - stream.avail_out);
    }
    inflateEnd(&stream);
    total_ += unpacked.size();
    if (total_ > kMaxUnpackedBytes) {
      fail_input("{}: unpacks to more than {} bytes", name_, kMaxUnpackedBytes);
    }
    if (status != Z_STREAM_END) {
      fail_damaged("its compressed data do not unpack");
    }
    return unpacked;
  }

  void check_matrix(const Element& element, bool cells_allowed) const {
    if (element.type != kMatrixType) {
      fail_damaged("an element that is no matrix");
    }
    Bytes rest = element.data;
    const Element flags = take(rest);
    if (flags.data.size() != 8) {
      fail_damaged("a matrix without flags");
    }
    const std::uint32_t matrix_class = read_word(flags.data, 0) & 0xffU;
    const bool is_plain = matrix_class == kCharClass || (matrix_class >= kDoubleClass && matrix_class <= kUint64Class);
    if (!is_plain && !(cells_allowed && matrix_class == kCellClass)) {
      fail_input("{}: holds MATLAB class {}{}, which no list of images has", name_, matrix_class,
                 matrix_class == kCellClass ? " (a cell) within a cell" : "");
    }
    if (matrix_class == kCellClass) {
      static_cast<void>(take(rest));  // dimensions
      static_cast<void>(take(rest));  // name
      while (!rest.empty()) {
        check_matrix(take(rest), false);
      }
    }
  }

  const std::string& name_;
  std::size_t total_ = 0;
};

}  // namespace

void check_mat5(const std::string& name, std::span<const std::byte> bytes) { Guard(name).check_file(bytes); }

}  // namespace steadyiqa::data
