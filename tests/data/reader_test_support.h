// What the tests of the readers share: a miniature release in a folder of its own.
#pragma once

#include "data/data_test_support.h"
#include "data/dataset.h"
#include "data/split.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>

namespace steadyiqa::data {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A folder that a test fills; images are empty files, as readers never open them.
class ReaderTest : public ::testing::Test {
 protected:
  void SetUp() override { root_ = scratch_folder(); }

  void touch(const std::string& file) const { write_text(root_ / file, ""); }
  void put(const std::string& file, const std::string& text) const { write_text(root_ / file, text); }
  [[nodiscard]] Dataset open(const std::string& reader, const std::string& options = "") const {
    return open_dataset(reader + ":" + root_.string() + options);
  }
  [[nodiscard]] std::string open_error(const std::string& reader, const std::string& options = "",
                                       ErrorKind kind = ErrorKind::kInput) const {
    const std::string message = error_of([&] { static_cast<void>(open(reader, options)); }, kind);
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  /// The path below the root.
  [[nodiscard]] std::string below(const std::filesystem::path& path) const {
    return path.lexically_relative(root_).string();
  }

  std::filesystem::path root_;
};

/// Splits by several seeds; no reference may ever be in two sets.
inline void expect_no_leak(Dataset dataset) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    split_by_seed(dataset, {0.5, 0.25, 0.25}, seed);
    std::map<std::string, std::set<std::string>> sets_of;
    for (const Sample& sample : dataset.samples) {
      ASSERT_NE(sample.reference, "");
      sets_of[sample.reference].insert(sample.set);
    }
    for (const auto& [reference, sets] : sets_of) {
      EXPECT_EQ(sets.size(), 1U) << reference;
    }
  }
}

}  // namespace steadyiqa::data
