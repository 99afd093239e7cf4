// Log lines and progress on stderr; results never go there.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace steadyiqa {

enum class ProgressMode { kAuto, kBar, kJson, kQuiet };  ///< kAuto: a bar on a terminal, sparse lines otherwise

/// Process-wide; set once by the command line.
void set_progress_mode(ProgressMode mode);
[[nodiscard]] ProgressMode progress_mode();

void log_message(std::string_view level, std::string_view message);

/// Shown unless --quiet.
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_message("info", fmt::format(format, std::forward<Args>(args)...));
}
/// Always shown.
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_message("warning", fmt::format(format, std::forward<Args>(args)...));
}

/// Progress of long work: rate and time left. On a terminal a bar that redraws; otherwise a line every few seconds;
/// `json`: one object per update on stderr. Not thread-safe: one owner.
class Progress {
 public:
  /// `total` in units of `unit` ("images", "steps"); 0 = unknown.
  Progress(std::string_view label, std::int64_t total, std::string_view unit = "items");
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;
  /// `note` is shown at the end of the line (for example "loss 3.21").
  void advance(std::int64_t count = 1, std::string_view note = {});
  void finish();

 private:
  void draw(std::string_view note, bool last);
  std::string label_;
  std::string unit_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  bool finished_ = false;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_draw_;
};

/// Ctrl-C and SIGTERM set a flag instead of ending the process; a second one ends it. Call once, from the command line.
void install_interrupt_handler();
[[nodiscard]] bool interrupted();

}  // namespace steadyiqa
