#include "benchmark/peak.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace steadyiqa::benchmark {
namespace {

/// Runs `rounds` rounds of a fixed number of multiply-adds and gives a value that depends on all of them.
using Loop = float (*)(std::int64_t rounds);

struct Kernel {
  const char* name = "";
  Loop loop = nullptr;
  double operations = 0;  ///< of one round
};

constexpr int kChains = 12;  // independent sums: more than a unit's latency times its units per cycle

/// Every lane of every sum x <- x * 0.999 + 0.001, which the compiler makes a fused multiply-add where there is one.
template <class Vector>
[[gnu::always_inline]] inline float multiply_adds(std::int64_t rounds) {
  Vector sums[kChains];  // NOLINT(modernize-avoid-c-arrays): std::array drops the type's alignment
  float start = 1.0F;
  for (auto& sum : sums) {
    sum = Vector{} + start;
    start += 1.0F;  // sums that start alike are computed once
  }
  const Vector factor = Vector{} + 0.999F;
  const Vector term = Vector{} + 0.001F;
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) {
      sum = sum * factor + term;
    }
  }
  Vector total = sums[0];
  for (const auto& sum : sums) {
    total += sum;
  }
  return total[0];
}

using Vector4 = float __attribute__((vector_size(16)));
float baseline_loop(std::int64_t rounds) { return multiply_adds<Vector4>(rounds); }

#if defined(__x86_64__)
using Vector8 = float __attribute__((vector_size(32)));
using Vector16 = float __attribute__((vector_size(64)));

[[gnu::target("avx2,fma")]] float avx2_loop(std::int64_t rounds) { return multiply_adds<Vector8>(rounds); }
[[gnu::target("avx512f")]] float avx512_loop(std::int64_t rounds) { return multiply_adds<Vector16>(rounds); }

[[gnu::target("avx512f,avx512bf16")]] float bf16_loop(std::int64_t rounds) {
  __m512 sums[kChains];  // NOLINT(modernize-avoid-c-arrays)
  float start = 1.0F;
  for (auto& sum : sums) {
    sum = _mm512_set1_ps(start);
    start += 1.0F;
  }
  const __m512bh factor = _mm512_cvtne2ps_pbh(sums[0], sums[0]);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) {
      sum = _mm512_dpbf16_ps(sum, factor, factor);
    }
  }
  __m512 total = sums[0];
  for (const auto& sum : sums) {
    total += sum;
  }
  return total[0];
}
#endif

Kernel fp32_kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") != 0) {
    return {"avx512f", avx512_loop, 2.0 * 16 * kChains};
  }
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
    return {"avx2", avx2_loop, 2.0 * 8 * kChains};
  }
#endif
  return {"baseline", baseline_loop, 2.0 * 4 * kChains};
}

/// Without a loop where the processor has no bfloat16 products.
Kernel bf16_kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16") != 0) {
    return {"avx512bf16", bf16_loop, 2.0 * 32 * kChains};
  }
#endif
  return {};
}

double seconds_of(const Kernel& kernel, std::int64_t rounds, int threads) {
  std::vector<float> results(static_cast<std::size_t>(threads));
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> workers;
    workers.reserve(results.size());
    for (auto& result : results) {
      workers.emplace_back([&kernel, &result, rounds] { result = kernel.loop(rounds); });
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  volatile float kept = results.front();  // the loop must run
  static_cast<void>(kept);
  return seconds.count();
}

double gflops(const Kernel& kernel, int threads, double seconds) {
  if (kernel.loop == nullptr) {
    return 0;
  }
  constexpr int kRepeats = 5;
  constexpr std::int64_t kTrial = 1'000'000;
  const double trial = std::max(seconds_of(kernel, kTrial, threads), 1e-6);
  const auto rounds = static_cast<std::int64_t>(static_cast<double>(kTrial) * seconds / kRepeats / trial) + 1;
  std::array<double, kRepeats> rates{};
  for (auto& rate : rates) {
    rate = static_cast<double>(rounds) * kernel.operations * threads / seconds_of(kernel, rounds, threads) / 1e9;
  }
  std::ranges::sort(rates);
  return rates[kRepeats / 2];
}

}  // namespace

Peak measure_peak(int threads, double seconds) {
  const auto fp32 = fp32_kernel();
  return {gflops(fp32, threads, seconds), gflops(bf16_kernel(), threads, seconds), fp32.name};
}

}  // namespace steadyiqa::benchmark
