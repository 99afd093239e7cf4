// What the tests of src/data share: a folder of their own, small images, and expected errors.
#pragma once

#include "base/error.h"
#include "image/image.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace steadyiqa::data {

/// An empty folder that no other test uses, removed when the test program ends.
inline std::filesystem::path scratch_folder() {
  struct Folders {
    std::vector<std::filesystem::path> made;
    ~Folders() {
      std::error_code ignored;
      for (const auto& folder : made) std::filesystem::remove_all(folder, ignored);
    }
  };
  static Folders folders;
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const auto folder = std::filesystem::path(::testing::TempDir()) /
                      fmt::format("steadyiqa_{}_{}_{}", test->test_suite_name(), test->name(), getpid());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  folders.made.push_back(folder);
  return folder;
}

inline std::filesystem::path write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

/// The message of the Error that `run` throws; fails the test when it throws none of that kind.
template <class Run>
std::string error_of(Run&& run, ErrorKind kind = ErrorKind::kInput) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no Error thrown";
  return {};
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
