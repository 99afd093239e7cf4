// Bounds-checked reads of integers from a header; a read beyond the end gives 0 and is remembered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace steadyiqa::image {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes, bool big_endian = false)
      : bytes_(bytes), big_endian_(big_endian) {}

  std::uint32_t u8(std::uint64_t offset) { return integer(offset, 1); }
  std::uint32_t u16(std::uint64_t offset) { return integer(offset, 2); }
  std::uint32_t u24(std::uint64_t offset) { return integer(offset, 3); }
  std::uint32_t u32(std::uint64_t offset) { return integer(offset, 4); }
  /// Whether `text` stands at the offset. Never marks the reader as failed.
  [[nodiscard]] bool has(std::uint64_t offset, std::string_view text) const {
    if (offset > bytes_.size() || bytes_.size() - offset < text.size()) {
      return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (bytes_[offset + i] != static_cast<std::byte>(text[i])) {
        return false;
      }
    }
    return true;
  }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  /// Whether some read went beyond the end.
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  std::uint32_t integer(std::uint64_t offset, std::uint64_t count) {
    if (offset > bytes_.size() || bytes_.size() - offset < count) {
      failed_ = true;
      return 0;
    }
    std::uint32_t value = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t at = big_endian_ ? offset + i : offset + count - 1 - i;
      value = (value << 8U) | std::to_integer<std::uint32_t>(bytes_[at]);
    }
    return value;
  }
  std::span<const std::byte> bytes_;
  bool big_endian_;
  bool failed_ = false;
};

}  // namespace steadyiqa::image
