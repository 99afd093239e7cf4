// The first directory of a TIFF file (TIFF 6.0, section 2), as far as it takes to know that its data is there.
#include "image/byte_reader.h"
#include "image/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace steadyiqa::image {
namespace {

enum Tag : std::uint32_t {
  kWidth = 256,
  kHeight = 257,
  kBits = 258,
  kPhotometric = 262,
  kStripOffsets = 273,
  kOrientation = 274,
  kStripSizes = 279,
  kTileWidth = 322,
  kTileHeight = 323,
  kTileOffsets = 324,
  kTileSizes = 325,
  kExtraSamples = 338,
  kSampleFormat = 339
};

using Directory = std::map<std::uint32_t, std::vector<std::uint64_t>>;

// An image at the default limit of pixels in the smallest tiles, 16x16, has 400 000.
constexpr std::uint64_t kMaxValues = 1'000'000;

/// The values of the entry at `at`; empty for types other than BYTE, SHORT and LONG and for absurdly many.
std::vector<std::uint64_t> entry_values(ByteReader& reader, std::uint64_t at) {
  const std::uint32_t type = reader.u16(at + 2);
  const std::uint64_t count = reader.u32(at + 4);
  const std::uint64_t size = type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0;
  const std::uint64_t start = count * size <= 4 ? at + 8 : reader.u32(at + 8);
  std::vector<std::uint64_t> values;
  for (std::uint64_t i = 0; size != 0 && count <= kMaxValues && i < count && !reader.failed(); ++i) {
    const std::uint64_t offset = start + i * size;
    values.push_back(size == 1 ? reader.u8(offset) : size == 2 ? reader.u16(offset) : reader.u32(offset));
  }
  return values;
}

Directory read_directory(ByteReader& reader) {
  constexpr std::uint64_t kEntrySize = 12;
  Directory directory;
  const std::uint64_t start = reader.u32(4);
  const std::uint64_t count = reader.u16(start);
  for (std::uint64_t i = 0; i < count && !reader.failed(); ++i) {
    const std::uint64_t at = start + 2 + i * kEntrySize;
    const std::uint32_t tag = reader.u16(at);
    const bool wanted = (tag >= kWidth && tag <= kStripSizes) || (tag >= kTileWidth && tag <= kSampleFormat);
    if (wanted && !directory.contains(tag)) {
      directory[tag] = entry_values(reader, at);
    }
  }
  reader.u32(start + 2 + count * kEntrySize);  // where the next directory is: unused, but its lack means a cut file
  return directory;
}

std::uint64_t first(const Directory& directory, Tag tag, std::uint64_t fallback) {
  const auto found = directory.find(tag);
  return found == directory.end() || found->second.empty() ? fallback : found->second.front();
}

/// Whether the parts (strips or tiles) all lie inside the file.
bool parts_inside(const Directory& directory, Tag offsets_tag, Tag sizes_tag, std::uint64_t file_size) {
  const auto offsets = directory.find(offsets_tag);
  const auto sizes = directory.find(sizes_tag);
  if (offsets == directory.end() || sizes == directory.end() || offsets->second.size() != sizes->second.size()) {
    return false;
  }
  for (std::size_t i = 0; i < offsets->second.size(); ++i) {
    if (offsets->second[i] + sizes->second[i] > file_size) {
      return false;
    }
  }
  return !offsets->second.empty();
}

}  // namespace

Result<Header> inspect_tiff(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  ByteReader reader(bytes, std::to_integer<char>(bytes.front()) == 'M');
  const Directory directory = read_directory(reader);
  if (reader.failed()) {
    return Failure{"truncated TIFF"};
  }
  Header header{static_cast<std::int64_t>(first(directory, kWidth, 0)),
                static_cast<std::int64_t>(first(directory, kHeight, 0))};
  constexpr std::uint64_t kFirstTransposed = 5;  // orientations 5 to 8 come out of the decoder on their side
  if (const auto stored = first(directory, kOrientation, 1); stored >= kFirstTransposed && stored <= 8) {
    std::swap(header.width, header.height);
  }
  const std::uint64_t bits = first(directory, kBits, 1);
  if (bits > 16 || first(directory, kSampleFormat, 1) != 1) {
    return Failure{fmt::format("TIFF of {} bits a sample is not supported: 8 or 16, unsigned", bits)};
  }
  constexpr std::uint64_t kYCbCr = 6;  // the ones above it (CIELab, colour filter arrays) have no one way to RGB
  if (first(directory, kPhotometric, 0) > kYCbCr) {
    return Failure{fmt::format("TIFF of colour space {} is not supported", first(directory, kPhotometric, 0))};
  }
  constexpr std::uint64_t kUnassociatedAlpha = 2;
  if (first(directory, kExtraSamples, 0) == kUnassociatedAlpha) {
    return Failure{"TIFF with an alpha channel is not supported"};  // libtiff would blend it with black
  }
  const bool tiled = directory.contains(kTileWidth);
  if (tiled) {
    const Header tile{static_cast<std::int64_t>(first(directory, kTileWidth, 0)),
                      static_cast<std::int64_t>(first(directory, kTileHeight, 0))};
    if (over_limits(tile, limits)) {
      return Failure{fmt::format("bad TIFF: tiles of {}x{} pixels", tile.width, tile.height)};
    }
  }
  if (!parts_inside(directory, tiled ? kTileOffsets : kStripOffsets, tiled ? kTileSizes : kStripSizes, bytes.size())) {
    return Failure{"truncated TIFF"};
  }
  return header;
}

}  // namespace steadyiqa::image
