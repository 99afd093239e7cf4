// Runs a plan: one runner a thread.
#pragma once

#include "inference/plan.h"

#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace steadyiqa::inference {

/// Holds the plan's intermediate results. Not thread-safe; runners of one plan share its constants and may run at once.
class Runner {
 public:
  explicit Runner(std::shared_ptr<const Plan> plan);

  /// To be filled before a run: row-major, of plan().input_shape.
  [[nodiscard]] std::span<float> input();
  /// On the calling thread alone, so that a result depends on no number of threads.
  void run();
  /// Of the last run. The name must be one of plan().outputs.
  [[nodiscard]] std::span<const float> output(const std::string& name) const;
  [[nodiscard]] const Plan& plan() const { return *plan_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }  // NOLINT: of aligned_alloc
  };
  struct BoundKernel {
    std::vector<const float*> inputs;
    float* output = nullptr;
  };
  [[nodiscard]] float* data(int buffer) const;

  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<std::byte, Free> arena_;
  dnnl::stream stream_;
  std::vector<std::unordered_map<int, dnnl::memory>> arguments_;  ///< of each step; of a kernel: none
  std::vector<BoundKernel> kernels_;                              ///< of each step; of a primitive: none
};

/// oneDNN and everything else that asks OpenMP runs on the calling thread alone while it lives.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  OneThread(OneThread&&) = delete;
  OneThread& operator=(OneThread&&) = delete;

 private:
  int before_;
};

}  // namespace steadyiqa::inference
