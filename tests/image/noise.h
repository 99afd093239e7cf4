// Test images that Python can make, too (make_samples.py has the same two functions).
#pragma once

#include "base/digest.h"
#include "image/image.h"

#include <cstdint>
#include <span>
#include <string>

namespace steadyiqa::image {

/// Bytes from an integer hash of their index.
inline Image noise(int width, int height) {
  Image image(width, height);
  std::uint32_t index = 0;
  for (std::uint8_t& value : image.pixels) {
    std::uint32_t h = index++ * 2654435761U;
    h ^= h >> 15U;
    h *= 2246822519U;
    h ^= h >> 13U;
    value = static_cast<std::uint8_t>(h & 255U);
  }
  return image;
}

/// Gradients with a little noise.
inline Image scene(int width, int height) {
  Image image = noise(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int base[3] = {x * 255 / width, y * 255 / height, (x + y) * 127 / (width + height)};
      for (int c = 0; c < 3; ++c) {
        image.at(x, y)[c] = static_cast<std::uint8_t>(base[c] * 3 / 4 + image.at(x, y)[c] / 4);
      }
    }
  }
  return image;
}

inline std::string pixel_digest(const Image& image) { return sha256_hex(std::as_bytes(std::span(image.pixels))); }

}  // namespace steadyiqa::image
