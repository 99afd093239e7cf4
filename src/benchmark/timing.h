// Clock and memory of what is measured.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace steadyiqa::benchmark {

/// How often something is run.
struct Repeats {
  std::int64_t warm_up = 1;  ///< not measured: kernels are built and buffers allocated in it
  std::int64_t measured = 5;
};

/// Seconds of each measured run of `work`, which is told the run's number from 0, warm-up included.
[[nodiscard]] std::vector<double> time_runs(const Repeats& repeats, const std::function<void(std::int64_t)>& work);

[[nodiscard]] double median(const std::vector<double>& values);
/// {"min", "median", "max", "runs"} [seconds].
[[nodiscard]] nlohmann::json seconds_json(const std::vector<double>& seconds);

/// Most resident memory of this process so far, bytes; 0 where the system does not tell.
[[nodiscard]] std::int64_t peak_memory_bytes();

/// What a child process took; its memory is at least that of this process when it began.
struct ChildCost {
  double seconds = 0;
  std::int64_t peak_memory_bytes = 0;
};
/// Runs a program with its output thrown away. Throws Error(kInput) when it cannot be run or fails.
[[nodiscard]] ChildCost run_child(const std::vector<std::string>& command);

}  // namespace steadyiqa::benchmark
