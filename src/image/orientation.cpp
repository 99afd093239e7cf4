// EXIF orientation (Exif 2.32, tag 274): where each format keeps it, and how it is undone.
#include "image/byte_reader.h"
#include "image/format.h"

namespace steadyiqa::image {
namespace {

using std::string_view_literals::operator""sv;

/// The tag in the TIFF structure that EXIF is; 1 when it is absent, broken or out of range.
int orientation_in_tiff(std::span<const std::byte> block) {
  constexpr std::uint64_t kEntrySize = 12;
  constexpr std::uint32_t kOrientation = 274;
  constexpr std::uint32_t kShort = 3;
  const ByteReader order(block);
  if (!order.has(0, "II\x2A\0"sv) && !order.has(0, "MM\0\x2A"sv)) {
    return 1;
  }
  ByteReader reader(block, order.has(0, "M"sv));
  const std::uint64_t start = reader.u32(4);
  const std::uint64_t count = reader.u16(start);
  for (std::uint64_t i = 0; i < count && !reader.failed(); ++i) {
    const std::uint64_t at = start + 2 + i * kEntrySize;
    if (reader.u16(at) == kOrientation && reader.u16(at + 2) == kShort) {
      const std::uint32_t value = reader.u16(at + 8);
      return !reader.failed() && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  }
  return 1;
}

std::span<const std::byte> part(std::span<const std::byte> bytes, std::uint64_t start, std::uint64_t size) {
  return start <= bytes.size() && size <= bytes.size() - start ? bytes.subspan(start, size)
                                                               : std::span<const std::byte>();
}

constexpr std::uint64_t kExifName = 6;  // "Exif", 0, 0

std::span<const std::byte> exif_in_jpeg(std::span<const std::byte> bytes) {
  constexpr std::uint32_t kApp1 = 0xE1;
  constexpr std::uint32_t kStartOfScan = 0xDA;
  ByteReader reader(bytes, true);
  std::uint64_t at = 2;
  while (at < bytes.size()) {
    if (reader.u8(at) != 0xFF || reader.u8(at + 1) == 0xFF || reader.u8(at + 1) == 0) {
      ++at;  // fill bytes, and the extraneous ones that libjpeg passes over, too
      continue;
    }
    const std::uint32_t marker = reader.u8(at + 1);
    const std::uint64_t size = reader.u16(at + 2);
    if (marker == kStartOfScan || reader.failed() || size < 2) {
      break;
    }
    if (marker == kApp1 && size >= 2 + kExifName && reader.has(at + 4, "Exif\0\0"sv)) {
      return part(bytes, at + 4 + kExifName, size - 2 - kExifName);
    }
    at += 2 + size;
  }
  return {};
}

std::span<const std::byte> exif_in_png(std::span<const std::byte> bytes) {
  ByteReader reader(bytes, true);
  for (std::uint64_t at = 8; !reader.failed() && at < bytes.size();) {
    const std::uint64_t size = reader.u32(at);
    if (reader.has(at + 4, "eXIf"sv)) {
      return part(bytes, at + 8, size);
    }
    at += 12 + size;
  }
  return {};
}

std::span<const std::byte> exif_in_webp(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  for (std::uint64_t at = 12; !reader.failed() && at < bytes.size();) {
    const std::uint64_t size = reader.u32(at + 4);
    if (reader.has(at, "EXIF"sv)) {
      const bool named = reader.has(at + 8, "Exif\0\0"sv) && size >= kExifName;  // some writers keep JPEG's prefix
      return part(bytes, at + 8 + (named ? kExifName : 0), size - (named ? kExifName : 0));
    }
    at += 8 + size + size % 2;
  }
  return {};
}

}  // namespace

int exif_orientation(std::span<const std::byte> bytes) {
  switch (sniff(bytes)) {
    case Format::kJpeg:
      return orientation_in_tiff(exif_in_jpeg(bytes));
    case Format::kPng:
      return orientation_in_tiff(exif_in_png(bytes));
    case Format::kWebp:
      return orientation_in_tiff(exif_in_webp(bytes));
    default:
      return 1;
  }
}

Image upright(const Image& image, int orientation) {
  STEADYIQA_ASSERT(orientation >= 1 && orientation <= 8, "an orientation is 1 to 8");
  const bool transposed = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image result(transposed ? image.height : image.width, transposed ? image.width : image.height);
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      const int column = transposed ? y : x;
      const int row = transposed ? x : y;
      const std::uint8_t* source =
          image.at(from_right ? image.width - 1 - column : column, from_bottom ? image.height - 1 - row : row);
      std::uint8_t* target = result.at(x, y);
      for (int c = 0; c < 3; ++c) {
        target[c] = source[c];
      }
    }
  }
  return result;
}

}  // namespace steadyiqa::image
