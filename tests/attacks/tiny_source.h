// Model files that transfer attacks may be made on.
#pragma once

#include "attacks/tiny_scorer.h"
#include "checkpoint/model_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::testing {

/// Calibrated, with weights between two seeds' tiny models: near enough to seed 7's that attacks transfer to it.
inline models::Scorer tiny_neighbour() {
  auto scorer = tiny_scorer();
  const auto other = tiny_scorer(0, 8);
  const torch::NoGradGuard no_grad;
  for (auto& item : scorer.network().named_parameters()) {
    item.value().lerp_(parameter(other.network(), item.key()), 0.2);
  }
  scorer.set_scale({"test", {20, 40}, true});
  return scorer;
}

/// The neighbour as a file, written once for each test program and removed at its end.
class TinySource {
 public:
  TinySource()
      : path_(std::filesystem::path(::testing::TempDir()) /
              ("steadyiqa_tiny_source_" + std::to_string(getpid()) + ".safetensors")) {
    checkpoint::save_model(path_, tiny_neighbour(), {});
  }
  ~TinySource() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TinySource(const TinySource&) = delete;
  TinySource& operator=(const TinySource&) = delete;
  TinySource(TinySource&&) = delete;
  TinySource& operator=(TinySource&&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline std::string tiny_source() {
  static const TinySource kSource;
  return kSource.path();
}

}  // namespace steadyiqa::testing
