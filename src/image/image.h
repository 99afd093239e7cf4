// An owned 8-bit RGB image, and decoding and encoding it under limits. All input is hostile.
#pragma once

#include "base/error.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::image {

/// Row-major interleaved RGB, 8 bits a channel: pixels[(y * width + x) * 3 + c].
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;

  Image() = default;
  Image(int w, int h) : width(w), height(h), pixels(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3) {}
  [[nodiscard]] std::uint8_t* at(int x, int y) {
    return &pixels[(static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) * 3];
  }
  [[nodiscard]] const std::uint8_t* at(int x, int y) const {
    return &pixels[(static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) * 3];
  }
  [[nodiscard]] bool empty() const { return pixels.empty(); }
};

/// Checked against the header, before any pixel is allocated.
struct DecodeLimits {
  std::int64_t max_pixels = 100'000'000;  ///< width x height
  int max_side = 50'000;
  std::uint64_t max_bytes = 512ULL << 20U;  ///< of the encoded file
};

/// What to do with a camera's EXIF orientation (JPEG, PNG, WebP).
enum class Orientation {
  kApplied,  ///< the image as a person sees it
  kIgnored   ///< the stored rows as they are: PIL's convert('RGB')
};

/// Decodes JPEG, PNG, BMP, PPM/PGM, WebP or TIFF, recognised by its first bytes, never by its name.
/// As PIL's convert('RGB'): alpha dropped, grey repeated, 16-bit reduced to its upper 8, CMYK by Pillow's formula; the
/// orientation of a TIFF is part of its format and always applied, as PIL and OpenCV do.
/// A truncated or corrupt file is a Failure, never a partly grey image. `name` begins the message.
[[nodiscard]] Result<Image> decode(std::span<const std::byte> bytes, const std::string& name,
                                   const DecodeLimits& limits = {}, Orientation orientation = Orientation::kApplied);
/// Reads and decodes a file; a missing or unreadable one is a Failure, too.
[[nodiscard]] Result<Image> read_image(const std::filesystem::path& path, const DecodeLimits& limits = {},
                                       Orientation orientation = Orientation::kApplied);

/// Lossless PNG / JPEG of the given quality (1-100; 4:2:0 chroma, libjpeg defaults).
[[nodiscard]] std::vector<std::byte> encode_png(const Image& image);
[[nodiscard]] std::vector<std::byte> encode_jpeg(const Image& image, int quality);
/// Encodes PNG and writes it atomically. Throws Error(kInput).
void write_png(const std::filesystem::path& path, const Image& image);

/// The image's part at (x, y); must lie inside.
[[nodiscard]] Image crop(const Image& image, int x, int y, int width, int height);
[[nodiscard]] Image flip_horizontal(const Image& image);
[[nodiscard]] Image flip_vertical(const Image& image);

/// Bit-exact with Pillow's Image.resize((width, height), BILINEAR): an antialiased triangle filter on 8 bits,
/// horizontal pass first, each pass rounded to 8 bits, a pass that changes no size skipped (models.md 0.1 gives the
/// arithmetic).
[[nodiscard]] Image resize_bilinear(const Image& image, int width, int height);

}  // namespace steadyiqa::image
