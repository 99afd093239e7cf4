#include "attacks/external_victim.h"
#include "base/error.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

namespace steadyiqa::attacks {
namespace {

namespace fs = std::filesystem;

/// One end of a pipe.
class PipeEnd {
 public:
  explicit PipeEnd(int descriptor) : descriptor_(descriptor) {}
  ~PipeEnd() { close(); }
  PipeEnd(const PipeEnd&) = delete;
  PipeEnd& operator=(const PipeEnd&) = delete;
  PipeEnd(PipeEnd&&) = delete;
  PipeEnd& operator=(PipeEnd&&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  void close() {
    if (is_open()) {
      ::close(std::exchange(descriptor_, -1));
    }
  }

 private:
  int descriptor_;
};

/// What a stream of the command said, up to a limit.
struct Output {
  static constexpr std::size_t kMost = std::size_t{1} << 20U;
  std::string text;
  [[nodiscard]] bool full() const { return text.size() > kMost; }
  /// What there is to read now. Closes the pipe at its end.
  void read_from(PipeEnd& pipe) {
    std::array<char, 65536> buffer{};
    while (pipe.is_open() && !full()) {
      const auto count = ::read(pipe.get(), buffer.data(), buffer.size());
      if (count > 0) {
        text.append(buffer.data(), static_cast<std::size_t>(count));
      } else if (count < 0 && errno == EINTR) {
        continue;
      } else {
        if (count == 0 || errno != EAGAIN) {
          pipe.close();
        }
        return;
      }
    }
  }
};

/// A process of its own group; the whole group is killed and the process waited for when this ends.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    ::kill(-pid_, SIGKILL);  // before it is waited for: until then its number is not given to another
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child(Child&&) = delete;
  Child& operator=(Child&&) = delete;
  /// How the process ended: si_code and si_status of waitid, once it has.
  [[nodiscard]] std::optional<siginfo_t> end() const {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid_) {
      return std::nullopt;
    }
    return info;
  }

 private:
  pid_t pid_;
};

class SpawnActions {
 public:
  SpawnActions() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  SpawnActions(SpawnActions&&) = delete;
  SpawnActions& operator=(SpawnActions&&) = delete;
  /// Starts the command, nothing to read, what it writes into the two pipes.
  pid_t spawn(std::vector<std::string> arguments, const PipeEnd& out, const PipeEnd& err) {
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, out.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, err.get(), STDERR_FILENO);
    std::vector<char*> pointers;
    pointers.reserve(arguments.size() + 1);
    for (auto& argument : arguments) {
      pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    pid_t pid = 0;
    const int error = ::posix_spawnp(&pid, pointers[0], &actions_, &attributes_, pointers.data(), environ);
    if (error != 0) {
      fail_input("command '{}' cannot be run: {}", arguments[0], std::strerror(error));
    }
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    fail_input("no pipe to a command: {}", std::strerror(errno));
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return ends;
}

/// " (its last words: ...)", from what it wrote to stderr.
std::string last_words(const Output& output) {
  constexpr std::size_t kLongest = 200;
  const auto text = trim(output.text);
  return text.empty() ? "" : fmt::format(" ({})", text.substr(text.size() - std::min(text.size(), kLongest)));
}

/// What the command writes to stdout; throws Error(kInput) unless it ends with status 0 by the deadline.
std::string run_command(const std::vector<std::string>& arguments, std::chrono::steady_clock::time_point deadline) {
  const auto out_ends = make_pipe();
  PipeEnd out(out_ends[0]);
  PipeEnd out_writer(out_ends[1]);
  const auto err_ends = make_pipe();
  PipeEnd err(err_ends[0]);
  PipeEnd err_writer(err_ends[1]);
  Child child(SpawnActions().spawn(arguments, out_writer, err_writer));
  out_writer.close();
  err_writer.close();
  Output output;
  Output errors;
  std::optional<siginfo_t> end;
  while (!end) {
    end = child.end();  // before the last reading, so that nothing is missed
    output.read_from(out);
    errors.read_from(err);
    if (output.full() || errors.full()) {
      fail_input("command '{}' wrote more than {} bytes", arguments[0], Output::kMost);
    }
    if (!end && std::chrono::steady_clock::now() > deadline) {
      fail_input("command '{}' did not end in time", arguments[0]);
    }
    constexpr int kTick = 5;  // ms: the end of a process wakes no poll
    std::array<pollfd, 2> waiting = {pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0}};
    if (!end) {
      ::poll(waiting.data(), waiting.size(), kTick);
    }
  }
  if (end->si_code != CLD_EXITED) {
    fail_input("command '{}' was ended by signal {}{}", arguments[0], end->si_status, last_words(errors));
  }
  if (end->si_status != 0) {
    fail_input("command '{}' ended with status {}{}", arguments[0], end->si_status, last_words(errors));
  }
  return output.text;
}

void replace_all(std::string& text, std::string_view what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

}  // namespace

std::vector<std::string> split_command(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      if (!std::exchange(in_word, true)) {
        words.emplace_back();
      }
    } else if (quote == 0 && (c == ' ' || c == '\t' || c == '\n')) {
      in_word = false;
    } else {
      if (!std::exchange(in_word, true)) {
        words.emplace_back();
      }
      words.back() += c;
    }
  }
  if (quote != 0) {
    fail_usage("command '{}': a quote is not closed", text);
  }
  return words;
}

std::optional<double> last_line_number(std::string_view output) {
  output = trim(output);
  const auto line = output.substr(output.find_last_of('\n') + 1);  // npos + 1 = 0
  constexpr std::string_view kDividers = " \t\r,;:=\"'()[]{}";
  for (std::size_t begin = line.find_first_not_of(kDividers); begin != std::string_view::npos;) {
    const auto end = std::min(line.find_first_of(kDividers, begin), line.size());
    if (const auto number = parse_number(line.substr(begin, end - begin))) {
      return number;
    }
    begin = line.find_first_not_of(kDividers, end);
  }
  return std::nullopt;
}

CommandVictim::CommandVictim(std::vector<std::string> command, const ExternalOptions& options)
    : ExternalVictim(options), command_(std::move(command)) {
  if (command_.empty() || command_[0].empty()) {
    fail_usage("a victim's command is empty");
  }
  const auto has_place = [](const std::string& argument) { return argument.find("{}") != std::string::npos; };
  if (std::none_of(command_.begin(), command_.end(), has_place)) {
    command_.emplace_back("{}");
  }
  auto name = (fs::temp_directory_path() / "steadyiqa-victim-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    fail_input("{}: cannot create: {}", name, std::strerror(errno));
  }
  folder_ = name;
}

CommandVictim::~CommandVictim() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

double CommandVictim::ask(std::span<const std::byte> png) {
  const auto path = folder_ / "query.png";
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
  file.close();
  if (!file) {
    fail_input("{}: cannot write", path.string());
  }
  auto arguments = command_;
  for (auto& argument : arguments) {
    replace_all(argument, "{}", path.string());
  }
  const auto output = run_command(arguments, deadline());
  const auto score = last_line_number(output);
  if (!score || !std::isfinite(*score)) {
    constexpr std::size_t kLongest = 80;
    const auto text = trim(output);
    fail_input("command '{}' printed no finite number on its last line: '{}'", arguments[0],
               text.substr(text.size() - std::min(text.size(), kLongest)));
  }
  return *score;
}

}  // namespace steadyiqa::attacks
