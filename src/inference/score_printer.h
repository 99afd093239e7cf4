// Scores of images as a command prints them.
#pragma once

#include <cstdint>
#include <string>

namespace steadyiqa::inference {

enum class ScoreFormat { kText, kJson, kCsv };

/// Prints a line for each image to stdout; why one has no score goes to stderr as well.
class ScorePrinter {
 public:
  explicit ScorePrinter(ScoreFormat format);
  void add(const std::string& path, double score, double raw);
  void add_failure(const std::string& path, const std::string& reason);
  /// 0, or what it is when some or all images have no score; says so once.
  [[nodiscard]] int exit_code() const;

 private:
  ScoreFormat format_;
  std::int64_t images_ = 0;
  std::int64_t failed_ = 0;
};

}  // namespace steadyiqa::inference
