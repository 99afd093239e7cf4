// Runs the built steadyiqa as a user would, and keeps what it says.
#pragma once

#include "base/file.h"
#include "places.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace steadyiqa::testing {

inline std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

struct Outcome {
  int exit_code = -1;  ///< -N when signal N ended it
  std::string out;
  std::string err;
  [[nodiscard]] std::vector<std::string> out_lines() const { return lines_of(out); }
  [[nodiscard]] std::vector<std::string> err_lines() const { return lines_of(err); }
};

/// The program that scores without libtorch.
inline std::filesystem::path score_program() { return program().parent_path() / "steadyiqa-score"; }

/// A running steadyiqa, or another program. Its output goes to files under `folder`.
class Program {
 public:
  Program(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
          const std::string& standard_input = "", const std::filesystem::path& executable = program())
      : out_(folder / "stdout.txt"), err_(folder / "stderr.txt") {
    write_file_atomic(folder / "stdin.txt", standard_input);
    std::vector<std::string> words = {executable.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : words) {
      argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, (folder / "stdin.txt").c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), kWrite, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_.c_str(), kWrite, 0600);
    EXPECT_EQ(posix_spawn(&process_, executable.c_str(), &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Program() {
    if (process_ > 0) {
      kill_now();
      static_cast<void>(wait());
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  Program(Program&&) = delete;
  Program& operator=(Program&&) = delete;

  void kill_now() const { kill(process_, SIGKILL); }
  /// Whether it still runs; never blocks.
  [[nodiscard]] bool running() {
    if (process_ > 0 && waitpid(process_, &status_, WNOHANG) == process_) {
      process_ = -1;
    }
    return process_ > 0;
  }
  Outcome wait() {
    if (process_ > 0) {
      waitpid(process_, &status_, 0);
      process_ = -1;
    }
    return {WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_), read_text_file(out_), read_text_file(err_)};
  }

 private:
  std::filesystem::path out_, err_;
  pid_t process_ = -1;
  int status_ = 0;
};

inline Outcome run_program(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
                           const std::string& standard_input = "",
                           const std::filesystem::path& executable = program()) {
  return Program(folder, arguments, standard_input, executable).wait();
}

}  // namespace steadyiqa::testing
