// Threads and memory format: decided here once per run, named nowhere else.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

namespace steadyiqa::parallel {

/// Sets the threads of libtorch (Debian's otherwise starts with one) and of OpenBLAS, and flushes denormals. 0 =
/// physical_cores().
/// Call once, before any tensor work.
void configure_threads(int threads = 0);

/// While it lives, and if `wanted`, OpenBLAS runs on one thread. Its threads go on spinning after each product, beside
/// libtorch's own that wait for the same cores: a network of convolutions with some small products takes up to twice as
/// long. One of large products wants all. Process-wide.
class OneBlasThread {
 public:
  explicit OneBlasThread(bool wanted = true);
  ~OneBlasThread();
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;
  OneBlasThread(OneBlasThread&&) = delete;
  OneBlasThread& operator=(OneBlasThread&&) = delete;

 private:
  int before_;
};

/// The layout of images and of convolution weights: channels-last, which is several times faster for depthwise
/// convolutions.
[[nodiscard]] torch::MemoryFormat memory_format();
/// The tensor in that layout (4-D tensors; others unchanged).
[[nodiscard]] torch::Tensor to_layout(const torch::Tensor& tensor);

/// While it lives, libtorch's own kernels run instead of oneDNN's, which differ from CPU to CPU: libtorch on one
/// thread, OpenBLAS on two, whatever the machine has. Finite differences magnify rounding by 1/h, so values are
/// comparable between machines only so, and where OpenBLAS runs the same kernels (RuntimeInfo::blas_kernels).
/// Process-wide; for doctor and tests.
class PlainKernels {
 public:
  PlainKernels();
  ~PlainKernels();
  PlainKernels(const PlainKernels&) = delete;
  PlainKernels& operator=(const PlainKernels&) = delete;
  PlainKernels(PlainKernels&&) = delete;
  PlainKernels& operator=(PlainKernels&&) = delete;

 private:
  bool onednn_before_;
  int threads_before_;
  int blas_threads_before_;
};

/// Whether the processor multiplies bfloat16 (avx512_bf16 or amx_bf16) and libtorch was built to use it.
[[nodiscard]] bool multiplies_bfloat16();

/// What `doctor` prints of this machine.
struct RuntimeInfo {
  std::string torch_version;
  std::string blas;  ///< the shared object that serves sgemm, e.g. "/usr/lib/.../libopenblas.so.0"
  std::string
      blas_kernels;  ///< of OpenBLAS, which picks them by CPU or OPENBLAS_CORETYPE, e.g. "Haswell"; "" = another
  int threads = 0;
  int blas_threads = 0;  ///< of OpenBLAS; 0 = another library, not known
  int cores = 0;
  std::vector<std::string> cpu_features;  ///< of avx2, fma, avx512f, avx512_bf16, amx_bf16
  bool onednn = false;
  std::vector<std::string> devices;  ///< "cpu", "cuda:0"
  double matmul_gflops = 0;          ///< measured, 1024 x 1024 float32
};
[[nodiscard]] RuntimeInfo runtime_info();

}  // namespace steadyiqa::parallel
