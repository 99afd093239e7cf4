// What the tests of src/data share: small images, text files and expected errors.
#pragma once

#include "base/expect_error.h"
#include "base/temp_folder.h"
#include "image/image.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace steadyiqa::data {

using steadyiqa::testing::scratch_folder;

inline std::filesystem::path write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

/// testing::error_message, of a bad input where nothing is said.
template <class Run>
std::string error_of(Run&& run, ErrorKind kind = ErrorKind::kInput) {
  return steadyiqa::testing::error_message(kind, std::forward<Run>(run));
}

/// An image whose pixels differ everywhere; the formula that the golden numbers were made with.
inline image::Image patterned_image(int width, int height) {
  image::Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.at(x, y)[c] = static_cast<std::uint8_t>((37 * x + 11 * y * y + 91 * c) % 256);
      }
    }
  }
  return image;
}

}  // namespace steadyiqa::data
