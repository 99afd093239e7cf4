// A folder of its own for one test, removed afterwards.
#pragma once

#include "base/error.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <vector>

namespace steadyiqa::testing {

/// An empty folder that no other test uses, removed when the test program ends. A second call in one test empties it.
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

class TempFolder : public ::testing::Test {
 protected:
  void SetUp() override { folder_ = scratch_folder(); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace steadyiqa::testing
