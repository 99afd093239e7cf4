// What the processor can do at most: fused multiply-adds on registers, nothing from memory.
#pragma once

#include <string>

namespace steadyiqa::benchmark {

/// Measured, all threads at once, in 1e9 operations a second (a multiply-add is two).
struct Peak {
  double fp32_gflops = 0;
  double bf16_gflops = 0;   ///< bfloat16 products added up in float32; 0 = the processor has no such instruction
  std::string fp32_kernel;  ///< "avx512f", "avx2" or "baseline" (four lanes)
};

/// Takes about `seconds` for each precision. The median of five rounds: a neighbour on the machine takes its share.
[[nodiscard]] Peak measure_peak(int threads, double seconds = 0.5);

}  // namespace steadyiqa::benchmark
