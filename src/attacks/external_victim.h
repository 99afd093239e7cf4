// Victims outside this program, which answer an image with a score: a command, or an HTTP server. Attacks see no
// gradient of them, only scores of 8-bit PNG images, and no more of these than a limit.
#pragma once

#include "attacks/victim.h"
#include "base/options.h"
#include "stats/label_scale.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa::attacks {

struct ExternalOptions {
  std::string score_range = "0:100";  ///< WORST:BEST
  std::int64_t max_queries = 100000;  ///< of the whole run, judging included
  double rate = 0;                    ///< queries a second; 0 = as fast as they are answered
  double timeout = 60;                ///< seconds for one answer
};
[[nodiscard]] const FieldTable<ExternalOptions>& external_fields();

/// Counts, paces and limits the queries; each image is one, rounded to 8 bits as a user's file would be.
class ExternalVictim : public Victim {
 public:
  /// Throws Error(kUsage) for a score range that cannot be read.
  explicit ExternalVictim(const ExternalOptions& options);
  /// Throws Error(kInput) when the limit of queries is reached, or the answer is late, an error, or no finite number.
  [[nodiscard]] torch::Tensor raw(const torch::Tensor& pixels) override;
  [[nodiscard]] bool has_gradient() const override { return false; }
  [[nodiscard]] stats::Affine calibration() const override { return calibration_; }
  [[nodiscard]] std::int64_t queries_left() const override { return options_.max_queries - queries_; }
  [[nodiscard]] std::int64_t queries() const { return queries_; }

 protected:
  using Clock = std::chrono::steady_clock;
  /// When an answer that is asked for now is late.
  [[nodiscard]] Clock::time_point deadline() const;
  [[nodiscard]] const ExternalOptions& options() const { return options_; }

 private:
  /// The score of one image file.
  [[nodiscard]] virtual double ask(std::span<const std::byte> png) = 0;
  void wait_for_turn();

  ExternalOptions options_;
  stats::Affine calibration_;
  std::int64_t queries_ = 0;
  Clock::time_point next_turn_{};
};

/// A command that is run for each image, without a shell. The path of the PNG replaces each "{}" in its arguments, or
/// is added as the last one. Its answer is the first number on the last line of its standard output that is not empty.
/// An exit status other than 0, too much output or no number is an error. What it leaves running is killed.
class CommandVictim : public ExternalVictim {
 public:
  /// Throws Error(kUsage) for an empty command, Error(kInput) when no folder for the images can be made.
  CommandVictim(std::vector<std::string> command, const ExternalOptions& options);
  ~CommandVictim() override;
  CommandVictim(const CommandVictim&) = delete;
  CommandVictim& operator=(const CommandVictim&) = delete;
  CommandVictim(CommandVictim&&) = delete;
  CommandVictim& operator=(CommandVictim&&) = delete;

 private:
  [[nodiscard]] double ask(std::span<const std::byte> png) override;

  std::vector<std::string> command_;
  std::filesystem::path folder_;
};

/// A command line as its words: divided at blanks, except between single or double quotes. Nothing else is special.
/// Throws Error(kUsage) for an open quote.
[[nodiscard]] std::vector<std::string> split_command(std::string_view text);
/// The first number on the last line that is not empty (words are divided by blanks, commas, colons, semicolons, equals
/// signs, quotes and brackets), or nothing.
[[nodiscard]] std::optional<double> last_line_number(std::string_view output);

/// Where other machines may be asked.
enum class Reach { kLoopback, kAnywhere };

/// A server that the PNG is sent to (POST, image/png). Its answer is a JSON object with a number "score", or a number
/// as plain text, of at most 64 KiB, with a status 2xx; redirections are not followed.
class HttpVictim : public ExternalVictim {
 public:
  /// `url`: http://HOST[:PORT][/PATH]. Throws Error(kUsage) for another, and for a host that is not localhost,
  /// 127.0.0.0/8 or [::1] when only the loopback is to be reached.
  HttpVictim(const std::string& url, const ExternalOptions& options, Reach reach = Reach::kLoopback);

 private:
  [[nodiscard]] double ask(std::span<const std::byte> png) override;

  std::string url_;
  std::string host_;
  int port_ = 80;
  std::string path_ = "/";
};

}  // namespace steadyiqa::attacks
