#include "base/log.h"

#include "base/error.h"
#include "base/json_text.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>

namespace steadyiqa {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

/// What the process has one of.
struct ProcessState {
  std::atomic<ProgressMode> mode{ProgressMode::kAuto};
  std::atomic<bool> bar_on_line{false};  ///< a bar stands on the terminal's last line
  std::atomic<bool> interrupted{false};
};
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler needs it");

ProcessState& process() {
  static constinit ProcessState state;  // no guard at run time: the signal handler comes here, too
  return state;
}

/// The mode with kAuto resolved; kAuto now means sparse lines.
ProgressMode resolved_mode() {
  const ProgressMode mode = process().mode;
  return mode == ProgressMode::kAuto && ::isatty(STDERR_FILENO) != 0 ? ProgressMode::kBar : mode;
}

spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger made("steadyiqa", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made.set_pattern("%^%l%$: %v");
    made.set_level(spdlog::level::trace);
    made.flush_on(spdlog::level::trace);
    return made;
  }();
  return instance;
}

void print_json(const nlohmann::json& object) { fmt::print(stderr, "{}\n", json_text(object)); }

/// "1:02:03" or "2:03".
std::string clock_text(double seconds) {
  constexpr double kLongest = 1e7;
  if (!(seconds < kLongest)) {
    return "-";
  }
  const auto whole = std::llround(seconds);
  const std::string tail = fmt::format("{:02}:{:02}", whole / 60 % 60, whole % 60);
  return whole >= 3600 ? fmt::format("{}:{}", whole / 3600, tail) : tail;
}

std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

duration<double> interval(ProgressMode mode) {
  switch (mode) {
    case ProgressMode::kBar:
      return duration<double>(0.1);
    case ProgressMode::kJson:
      return duration<double>(0.5);
    default:
      return duration<double>(5.0);
  }
}

/// Where the work stands, as shown.
struct State {
  std::int64_t done = 0;
  std::int64_t total = 0;
  double seconds = 0;
  [[nodiscard]] double rate() const { return seconds > 0 ? static_cast<double>(done) / seconds : 0.0; }
  [[nodiscard]] bool knows_left() const { return total > 0 && done > 0 && seconds > 0; }
  [[nodiscard]] double left() const { return static_cast<double>(std::max<std::int64_t>(0, total - done)) / rate(); }
};

std::string state_text(const State& state, std::string_view unit, std::string_view note, bool last) {
  std::string text =
      state.total > 0 ? fmt::format("{}/{} {}", state.done, state.total, unit) : fmt::format("{} {}", state.done, unit);
  text += fmt::format(", {:.3g}/s", state.rate());
  if (last) {
    text += fmt::format(", {} in all", clock_text(state.seconds));
  } else if (state.knows_left()) {
    text += fmt::format(", {} left", clock_text(state.left()));
  }
  return note.empty() ? text : fmt::format("{}, {}", text, one_line(note));
}

void draw_bar(const std::string& label, const State& state, const std::string& text, bool last) {
  constexpr std::int64_t kWidth = 24;
  std::string bar;
  if (state.total > 0) {
    const double share = std::min(1.0, static_cast<double>(state.done) / static_cast<double>(state.total));
    const auto full = static_cast<std::size_t>(share * static_cast<double>(kWidth));
    bar = fmt::format("[{}{}] ", std::string(full, '#'), std::string(kWidth - full, '.'));
  }
  // A line that wraps could not be redrawn; text here is ASCII but for a label or a note, where a cut is harmless.
  const std::string line = fmt::format("{} {}{}", label, bar, text).substr(0, terminal_columns() - 1);
  fmt::print(stderr, "\r\033[K{}{}", line, last ? "\n" : "");
  std::fflush(stderr);
  process().bar_on_line = !last;
}

extern "C" void on_interrupt(int) {
  process().interrupted.store(true);
  // From now on either signal ends the process.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

void set_progress_mode(ProgressMode mode) { process().mode = mode; }

ProgressMode progress_mode() { return process().mode; }

void log_message(std::string_view level, std::string_view message) {
  const ProgressMode mode = process().mode;
  if (mode == ProgressMode::kQuiet && (level == "info" || level == "debug")) {
    return;
  }
  const std::string line = one_line(message);
  if (mode == ProgressMode::kJson) {
    print_json({{"event", "log"}, {"level", level}, {"message", line}});
    return;
  }
  if (process().bar_on_line) {
    fmt::print(stderr, "\r\033[K");
  }
  logger().log(spdlog::level::from_str(std::string(level)), spdlog::string_view_t(line.data(), line.size()));
}

Progress::Progress(std::string_view label, std::int64_t total, std::string_view unit)
    : label_(one_line(label)), unit_(one_line(unit)), total_(total), start_(steady_clock::now()), last_draw_(start_) {
  const ProgressMode mode = resolved_mode();
  if (mode == ProgressMode::kBar || mode == ProgressMode::kJson) {
    last_draw_ -= std::chrono::hours(1);  // the first step shows at once
  }
}

Progress::~Progress() {
  try {
    finish();
  } catch (...) {  // NOLINT(bugprone-empty-catch): a lost line of progress is no reason to end the run
  }
}

void Progress::advance(std::int64_t count, std::string_view note) {
  done_ += count;
  const ProgressMode mode = resolved_mode();
  if (mode == ProgressMode::kQuiet) {
    return;
  }
  const auto now = steady_clock::now();
  if (now - last_draw_ >= interval(mode)) {
    last_draw_ = now;
    draw(note, false);
  }
}

void Progress::finish() {
  if (!finished_) {
    finished_ = true;
    draw({}, true);
  }
}

void Progress::draw(std::string_view note, bool last) {
  const ProgressMode mode = resolved_mode();
  const State state{done_, total_, duration<double>(steady_clock::now() - start_).count()};
  if (mode == ProgressMode::kQuiet) {
    return;
  }
  if (mode == ProgressMode::kJson) {
    nlohmann::json object{{"event", "progress"}, {"label", label_},          {"unit", unit_},
                          {"done", done_},       {"seconds", state.seconds}, {"per_second", state.rate()},
                          {"finished", last}};
    object["total"] = total_ > 0 ? nlohmann::json(total_) : nlohmann::json(nullptr);
    object["seconds_left"] = state.knows_left() ? nlohmann::json(state.left()) : nlohmann::json(nullptr);
    if (!note.empty()) {
      object["note"] = one_line(note);
    }
    print_json(object);
    return;
  }
  const std::string text = state_text(state, unit_, note, last);
  if (mode == ProgressMode::kBar) {
    draw_bar(label_, state, text, last);
  } else {
    fmt::print(stderr, "{}: {}\n", label_, text);
  }
}

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // reads and writes in libraries go on; the loops look at the flag
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return process().interrupted; }

}  // namespace steadyiqa
