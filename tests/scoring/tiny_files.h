// The tiny synthetic set as files, for whatever reads data sets.
#pragma once

#include "attacks/tiny_scorer.h"
#include "data/dataset.h"
#include "data/split.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace steadyiqa::testing {

/// Written once for each test program and removed at its end.
class TinyFiles {
 public:
  TinyFiles()
      : folder_(std::filesystem::path(::testing::TempDir()) / ("steadyiqa_tiny_files_" + std::to_string(getpid()))) {
    auto set = tiny_set();
    data::write_synthetic_set(set, folder_);
    dataset_ = data::read_manifest(manifest());
  }
  ~TinyFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TinyFiles(const TinyFiles&) = delete;
  TinyFiles& operator=(const TinyFiles&) = delete;
  TinyFiles(TinyFiles&&) = delete;
  TinyFiles& operator=(TinyFiles&&) = delete;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::filesystem::path manifest() const { return folder_ / "manifest.csv"; }
  /// 24 images, sets train, val and test.
  [[nodiscard]] const data::Dataset& dataset() const { return dataset_; }
  /// The first of them.
  [[nodiscard]] data::Dataset first(std::size_t count) const {
    auto some = dataset_;
    some.samples.resize(count);
    return some;
  }

 private:
  std::filesystem::path folder_;
  data::Dataset dataset_;
};

inline const TinyFiles& tiny_files() {
  static const TinyFiles kFiles;
  return kFiles;
}

}  // namespace steadyiqa::testing
