// What a file's own header says, read before any decoder allocates for it.
#pragma once

#include "image/image.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::image {

enum class Format { kUnknown, kJpeg, kPng, kBmp, kPnm, kWebp, kTiff };

[[nodiscard]] Format sniff(std::span<const std::byte> bytes);

struct Header {
  std::int64_t width = 0;
  std::int64_t height = 0;
};

/// The size that the header gives, after checking that the file holds all the data which it announces.
/// The failure's message does not name the file.
[[nodiscard]] Result<Header> inspect_png(std::span<const std::byte> bytes);
[[nodiscard]] Result<Header> inspect_bmp(std::span<const std::byte> bytes);
[[nodiscard]] Result<Header> inspect_webp(std::span<const std::byte> bytes);
[[nodiscard]] Result<Header> inspect_tiff(std::span<const std::byte> bytes, const DecodeLimits& limits);

/// The PNG's IHDR, PLTE, IDAT and IEND chunks alone: the pixels need nothing else, and a decoder that never sees the
/// others neither applies nor complains about them. Only for bytes that inspect_png has passed.
[[nodiscard]] std::vector<std::byte> essential_png(std::span<const std::byte> bytes);

/// The EXIF orientation of a JPEG, PNG or WebP: 1 (upright) to 8; 1 where there is none or it makes no sense.
[[nodiscard]] int exif_orientation(std::span<const std::byte> bytes);
/// The image turned and mirrored from that orientation to upright.
[[nodiscard]] Image upright(const Image& image, int orientation);

/// Why an image of this size is over the limits, or nothing.
[[nodiscard]] std::optional<std::string> over_limits(const Header& header, const DecodeLimits& limits);

/// Decoders. The failure's message does not name the file.
[[nodiscard]] Result<Image> decode_jpeg(std::span<const std::byte> bytes, const DecodeLimits& limits);
[[nodiscard]] Result<Image> decode_pnm(std::span<const std::byte> bytes, const DecodeLimits& limits);

}  // namespace steadyiqa::image
