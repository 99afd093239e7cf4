// Errors: one exception type for a run that cannot go on, Result<T> for one failed item.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace steadyiqa {

/// What went wrong, valued as the process exit code that it leads to.
enum class ErrorKind {
  kUsage = 1,         ///< the command line or a recipe is wrong
  kInput = 2,         ///< a file, an image, a data set or a model is wrong
  kGate = 3,          ///< a gate's threshold was not met
  kPartial = 4,       ///< some items failed, each reported on its own
  kNumeric = 5,       ///< a numeric check failed (NaN, parity, non-determinism)
  kInterrupted = 130  ///< stopped by the user; the state on disk can be resumed
};

/// The message as one line of valid UTF-8: every control character and every stray byte becomes '?', so that hostile
/// file names and keys can neither forge log lines nor break JSON output.
[[nodiscard]] std::string one_line(std::string_view message);

/// The one exception type. `what()` is a single line that says what and where.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(one_line(message)), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const { return kind_; }
  [[nodiscard]] int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

/// Throws Error of the given kind with a formatted one-line message.
template <class... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::kUsage, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void fail_input(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::kInput, fmt::format(format, std::forward<Args>(args)...));
}

/// Why one item (image, row, request) has no value.
struct Failure {
  std::string message;
};

/// A value or the reason why there is none. Shaped so that it can become std::expected.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}            // NOLINT(google-explicit-constructor)
  Result(Failure failure) : state_(std::move(failure)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return has_value(); }

  /// The value. Throws Error(kInput) with the failure's message when there is none.
  [[nodiscard]] const T& value() const& {
    check();
    return std::get<T>(state_);
  }
  [[nodiscard]] T&& value() && {
    check();
    return std::get<T>(std::move(state_));
  }
  /// The failure's message. Only to be called when there is no value.
  [[nodiscard]] const std::string& error() const { return std::get<Failure>(state_).message; }

 private:
  void check() const {
    if (!has_value()) {
      throw Error(ErrorKind::kInput, error());
    }
  }
  std::variant<T, Failure> state_;
};

/// Programmer error: aborts with the condition and a message, in every build type.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line, const char* message);

}  // namespace steadyiqa

#define STEADYIQA_ASSERT(condition, message) \
  ((condition) ? static_cast<void>(0) : ::steadyiqa::assertion_failed(#condition, __FILE__, __LINE__, message))
