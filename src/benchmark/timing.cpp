#include "benchmark/timing.h"

#include "base/error.h"
#include "stats/robustness.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>

namespace steadyiqa::benchmark {
namespace {

constexpr std::int64_t kKilobyte = 1024;  // unit of ru_maxrss and VmHWM

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

[[noreturn]] void become(const std::vector<std::string>& command) {
  constexpr int kCannotRun = 127;
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0) {
    _exit(kCannotRun);
  }
  execv(arguments.front(), arguments.data());
  _exit(kCannotRun);
}

}  // namespace

std::vector<double> time_runs(const Repeats& repeats, const std::function<void(std::int64_t)>& work) {
  std::vector<double> seconds;
  for (std::int64_t run = 0; run < repeats.warm_up + repeats.measured; ++run) {
    const auto start = std::chrono::steady_clock::now();
    work(run);
    if (run >= repeats.warm_up) {
      seconds.push_back(since(start));
    }
  }
  return seconds;
}

double median(const std::vector<double>& values) {
  constexpr double kMiddle = 50;  // percent
  return stats::percentile(values, kMiddle);
}

nlohmann::json seconds_json(const std::vector<double>& seconds) {
  return {{"min", std::ranges::min(seconds)},
          {"median", median(seconds)},
          {"max", std::ranges::max(seconds)},
          {"runs", seconds.size()}};
}

std::int64_t peak_memory_bytes() {
  // Not getrusage: a process inherits the most that its parent took.
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (std::int64_t kilobytes = 0; word == "VmHWM:" && status >> kilobytes) {
      return kilobytes * kKilobyte;
    }
  }
  return 0;
}

ChildCost run_child(const std::vector<std::string>& command) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    become(command);
  }
  int status = 0;
  rusage usage{};
  if (child < 0 || wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fail_input("cannot be run, or failed: {}", fmt::join(command, " "));
  }
  return {since(start), usage.ru_maxrss * kKilobyte};
}

}  // namespace steadyiqa::benchmark
