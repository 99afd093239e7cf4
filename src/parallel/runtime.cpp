#include "parallel/runtime.h"

#include "base/cores.h"
#include "parallel/device.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <malloc.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <sstream>
#include <utility>

namespace steadyiqa::parallel {

namespace {

/// A function of the BLAS that libtorch runs on, null when that is not OpenBLAS. A libtorch with MKL has its own, even
/// where another library has loaded OpenBLAS.
template <class Function>
Function* openblas_function(const char* name) {
  return at::hasMKL() ? nullptr : reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

/// OpenBLAS has threads of its own, as many as there are cores whatever libtorch is told, and they wait by spinning: on
/// a busy machine a matrix product then takes several times as long as on one thread.
void configure_blas_threads(int threads) {
  if (auto* set = openblas_function<void(int)>("openblas_set_num_threads")) {
    set(threads);
  }
}

int blas_threads() {
  auto* get = openblas_function<int()>("openblas_get_num_threads");
  return get == nullptr ? 0 : get();
}

}  // namespace

void configure_threads(int threads) {
  const int count = threads > 0 ? threads : physical_cores();
  at::set_num_threads(count);
  configure_blas_threads(count);
  at::globalContext().setFlushDenormal(true);
  // Keep freed activation buffers: handing hundreds of MB back to the kernel and faulting them in again costs each
  // training step a visible part of its time.
  constexpr int kKeepBytes = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

OneBlasThread::OneBlasThread(bool wanted) : before_(blas_threads()) {
  if (wanted) {
    configure_blas_threads(1);
  }
}

OneBlasThread::~OneBlasThread() { configure_blas_threads(before_); }

PlainKernels::PlainKernels()
    : onednn_before_(at::globalContext().userEnabledMkldnn()),
      threads_before_(at::get_num_threads()),
      blas_threads_before_(blas_threads()) {
  constexpr int kBlasThreads = 2;  // of any machine: how many share a sum decides its rounding
  at::globalContext().setUserEnabledMkldnn(false);
  // One caller of OpenBLAS: two at once wait for each other's threads, for minutes on a busy machine.
  at::set_num_threads(1);
  configure_blas_threads(kBlasThreads);
}

PlainKernels::~PlainKernels() {
  at::globalContext().setUserEnabledMkldnn(onednn_before_);
  at::set_num_threads(threads_before_);
  configure_blas_threads(blas_threads_before_);
}

torch::MemoryFormat memory_format() { return torch::MemoryFormat::ChannelsLast; }

torch::Tensor to_layout(const torch::Tensor& tensor) {
  return tensor.dim() == 4 ? tensor.contiguous(memory_format()) : tensor;
}

namespace {

std::vector<std::string> cpu_features() {
  std::ifstream info("/proc/cpuinfo");
  std::vector<std::string> found;
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("flags", 0) != 0) {
      continue;
    }
    std::istringstream words(line);
    const std::set<std::string> flags{std::istream_iterator<std::string>(words), {}};
    for (const char* wanted : {"avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"}) {
      if (flags.count(wanted) != 0) {
        found.emplace_back(wanted);
      }
    }
    break;
  }
  return found;
}

}  // namespace

bool multiplies_bfloat16() {
  static const bool kDoes = [] {
    const auto features = cpu_features();
    return at::hasMKLDNN() && std::ranges::any_of(features, [](const std::string& feature) {
             return feature == "avx512_bf16" || feature == "amx_bf16";
           });
  }();
  return kDoes;
}

namespace {

std::string blas_kernels() {
  auto* name = openblas_function<char*()>("openblas_get_corename");
  return name == nullptr ? "" : name();
}

std::string blas_library() {
  Dl_info info{};
  void* symbol = dlsym(RTLD_DEFAULT, "sgemm_");
  if (symbol == nullptr || dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) {
    return "unknown";
  }
  return info.dli_fname;
}

double measure_matmul_gflops() {
  constexpr int kSize = 1024;
  constexpr int kRepeats = 4;
  torch::NoGradGuard no_grad;
  const auto a = torch::ones({kSize, kSize});
  auto product = torch::mm(a, a);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRepeats; ++i) {
    torch::mm_out(product, a, a);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return kRepeats * 2.0 * kSize * kSize * kSize / seconds.count() / 1e9;
}

}  // namespace

RuntimeInfo runtime_info() {
  RuntimeInfo info;
  info.torch_version = TORCH_VERSION;
  info.blas = at::hasMKL() ? "MKL, libtorch's own" : blas_library();
  info.blas_kernels = blas_kernels();
  info.threads = at::get_num_threads();
  info.blas_threads = blas_threads();
  info.cores = physical_cores();
  info.cpu_features = cpu_features();
  info.onednn = at::hasMKLDNN();
  info.devices.emplace_back("cpu");
  const int cuda = cuda_devices();
  for (int i = 0; i < cuda; ++i) {
    info.devices.push_back(fmt::format("cuda:{}", i));
  }
  info.matmul_gflops = measure_matmul_gflops();
  return info;
}

}  // namespace steadyiqa::parallel
