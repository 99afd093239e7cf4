#include "image/format.h"

#include "image/byte_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace steadyiqa::image {
namespace {

constexpr std::uint64_t kPngSignature = 8;
constexpr std::uint64_t kPngChunkFrame = 12;  // length, type, CRC

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1U) : value >> 1U;
    }
    table[i] = value;
  }
  return table;
}

/// The CRC of PNG chunks (ISO 3309; PNG specification, annex D).
std::uint32_t crc32(std::span<const std::byte> bytes) {
  static constexpr auto kTable = make_crc_table();
  std::uint32_t value = 0xFFFFFFFFU;
  for (const std::byte byte : bytes) {
    value = kTable[(value ^ std::to_integer<std::uint32_t>(byte)) & 0xFFU] ^ (value >> 8U);
  }
  return ~value;
}

struct Chunk {
  std::uint64_t start = 0;  ///< of its length field
  std::uint64_t size = 0;   ///< of its data
  bool essential = false;
  bool critical = false;
};

/// The chunk at `start`, or nothing when the file ends inside it.
std::optional<Chunk> png_chunk(std::span<const std::byte> bytes, std::uint64_t start) {
  ByteReader reader(bytes, true);
  Chunk chunk;
  chunk.start = start;
  chunk.size = reader.u32(start);
  if (reader.failed() || bytes.size() - start < kPngChunkFrame || bytes.size() - start - kPngChunkFrame < chunk.size) {
    return std::nullopt;
  }
  chunk.critical = (reader.u8(start + 4) & 0x20U) == 0;
  for (const char* type : {"IHDR", "PLTE", "IDAT", "IEND"}) {
    chunk.essential = chunk.essential || reader.has(start + 4, type);
  }
  return chunk;
}

/// Why the chunk cannot be used, or nothing.
std::optional<std::string> png_chunk_problem(std::span<const std::byte> bytes, const Chunk& chunk) {
  ByteReader reader(bytes, true);
  if (!chunk.critical) {
    return std::nullopt;
  }
  if (!chunk.essential) {
    return fmt::format("bad PNG: unknown critical chunk at byte {}", chunk.start);
  }
  if (crc32(bytes.subspan(chunk.start + 4, chunk.size + 4)) != reader.u32(chunk.start + 8 + chunk.size)) {
    return fmt::format("bad PNG: wrong checksum in the chunk at byte {}", chunk.start);
  }
  return std::nullopt;
}

}  // namespace

Format sniff(std::span<const std::byte> bytes) {
  using std::string_view_literals::operator""sv;
  const ByteReader reader(bytes);
  if (reader.has(0, "\xFF\xD8\xFF"sv)) {
    return Format::kJpeg;
  }
  if (reader.has(0, "\x89PNG\r\n\x1A\n"sv)) {
    return Format::kPng;
  }
  if (reader.has(0, "BM"sv)) {
    return Format::kBmp;
  }
  if (reader.has(0, "P5"sv) || reader.has(0, "P6"sv)) {
    return Format::kPnm;
  }
  if (reader.has(0, "RIFF"sv) && reader.has(8, "WEBP"sv)) {
    return Format::kWebp;
  }
  if (reader.has(0, "II\x2A\0"sv) || reader.has(0, "MM\0\x2A"sv)) {
    return Format::kTiff;
  }
  return Format::kUnknown;
}

std::optional<std::string> over_limits(const Header& header, const DecodeLimits& limits) {
  const auto [width, height] = header;
  if (width <= 0 || height <= 0) {
    return fmt::format("the header gives an empty size of {}x{} pixels", width, height);
  }
  if (width > limits.max_pixels / height) {
    return fmt::format("{}x{} pixels is over the limit of {}", width, height, limits.max_pixels);
  }
  if (std::max(width, height) > limits.max_side) {
    return fmt::format("{}x{} pixels is over the limit of {} a side", width, height, limits.max_side);
  }
  return std::nullopt;
}

Result<Header> inspect_png(std::span<const std::byte> bytes) {
  ByteReader reader(bytes, true);
  const Header header{reader.u32(kPngSignature + 8), reader.u32(kPngSignature + 12)};
  if (reader.failed()) {
    return Failure{"truncated PNG"};
  }
  if (reader.u32(kPngSignature) != 13 || !reader.has(kPngSignature + 4, "IHDR")) {
    return Failure{"bad PNG: it does not begin with a header chunk"};
  }
  bool has_data = false;
  std::uint64_t at = kPngSignature;
  while (true) {
    const auto chunk = png_chunk(bytes, at);
    if (!chunk) {
      return Failure{"truncated PNG"};
    }
    if (const auto problem = png_chunk_problem(bytes, *chunk)) {
      return Failure{*problem};
    }
    if (reader.has(at + 4, "IEND")) {
      break;
    }
    has_data = has_data || reader.has(at + 4, "IDAT");
    at += kPngChunkFrame + chunk->size;
  }
  if (!has_data) {
    return Failure{"bad PNG: no image data"};
  }
  return header;
}

std::vector<std::byte> essential_png(std::span<const std::byte> bytes) {
  std::vector<std::byte> result(bytes.begin(), bytes.begin() + kPngSignature);
  result.reserve(bytes.size());
  for (std::uint64_t at = kPngSignature; const auto chunk = png_chunk(bytes, at);) {
    const std::uint64_t size = kPngChunkFrame + chunk->size;
    if (chunk->essential) {
      const auto part = bytes.subspan(at, size);
      result.insert(result.end(), part.begin(), part.end());
    }
    if (ByteReader(bytes).has(at + 4, "IEND")) {
      break;
    }
    at += size;
  }
  return result;
}

Result<Header> inspect_bmp(std::span<const std::byte> bytes) {
  constexpr std::uint32_t kOs2Header = 12;
  constexpr std::uint32_t kMinHeader = 40;
  ByteReader reader(bytes);
  const std::uint32_t data_offset = reader.u32(10);
  const std::uint32_t header_size = reader.u32(14);
  Header header;
  std::uint32_t bits = 0;
  std::uint32_t compression = 0;
  if (header_size == kOs2Header) {
    header = {reader.u16(18), reader.u16(20)};
    bits = reader.u16(24);
  } else {
    header = {static_cast<std::int32_t>(reader.u32(18)), static_cast<std::int32_t>(reader.u32(22))};
    bits = reader.u16(28);
    compression = reader.u32(30);
    header.height = std::abs(header.height);  // negative: stored from the top down
  }
  if (reader.failed()) {
    return Failure{"truncated BMP"};
  }
  if (header_size != kOs2Header && header_size < kMinHeader) {
    return Failure{fmt::format("bad BMP: a header of {} bytes", header_size)};
  }
  constexpr std::uint32_t kUncompressed = 0;
  constexpr std::uint32_t kBitFields = 3;
  if (bits == 16) {
    return Failure{"BMP of 16 bits a pixel is not supported"};  // OpenCV and Pillow widen 5 bits to 8 differently
  }
  if (bits > 32 || header.width < 0) {
    return Failure{fmt::format("bad BMP: {} pixels wide, {} bits a pixel", header.width, bits)};
  }
  if (compression == kUncompressed || compression == kBitFields) {
    const std::uint64_t row = (static_cast<std::uint64_t>(header.width) * bits + 31) / 32 * 4;
    const std::uint64_t available = data_offset < bytes.size() ? bytes.size() - data_offset : 0;
    if (row != 0 && static_cast<std::uint64_t>(header.height) > available / row) {
      return Failure{fmt::format("truncated BMP: {}x{} pixels in {} bytes", header.width, header.height, bytes.size())};
    }
  }
  return header;
}

Result<Header> inspect_webp(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  const std::uint64_t riff_size = reader.u32(4);
  Header header;
  if (reader.has(12, "VP8 ")) {
    header = {reader.u16(26) & 0x3FFFU, reader.u16(28) & 0x3FFFU};
  } else if (reader.has(12, "VP8L")) {
    const std::uint32_t sizes = reader.u32(21);
    header = {(sizes & 0x3FFFU) + 1, ((sizes >> 14U) & 0x3FFFU) + 1};
  } else if (reader.has(12, "VP8X")) {
    constexpr std::uint32_t kAnimation = 2;
    if ((reader.u8(20) & kAnimation) != 0) {
      return Failure{"animated WebP is not supported"};
    }
    header = {static_cast<std::int64_t>(reader.u24(24)) + 1, static_cast<std::int64_t>(reader.u24(27)) + 1};
  } else {
    return Failure{bytes.size() < 16 ? "truncated WebP" : "bad WebP: unknown first chunk"};
  }
  if (reader.failed() || riff_size + 8 > bytes.size()) {
    return Failure{"truncated WebP"};
  }
  return header;
}

}  // namespace steadyiqa::image
