#include "parallel/device.h"

#include "base/error.h"

#include <dlfcn.h>
#include <torch/torch.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace steadyiqa::parallel {
namespace {

torch::Device& chosen() {
  static torch::Device device = torch::kCPU;
  return device;
}

/// Loads libtorch's CUDA part, which lies beside the part that every program is linked with: without --device cuda no
/// run waits for it. "", or why it cannot be.
std::string load_cuda() {
  Dl_info here{};
  const auto* of_libtorch = reinterpret_cast<void*>(&at::globalContext);
  STEADYIQA_ASSERT(dladdr(of_libtorch, &here) != 0 && here.dli_fname != nullptr, "libtorch is a shared library");
  const auto library = std::filesystem::path(here.dli_fname).parent_path() / "libtorch_cuda.so";
  if (!std::filesystem::exists(library)) {
    return fmt::format("the libtorch of {} has no CUDA; docs/performance.md says how to build with one that has",
                       library.parent_path().string());
  }
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return dlerror();
  }
  return "";
}

/// N of "cuda" and "cuda:N".
int cuda_index(const std::string& name) {
  constexpr std::string_view kFirst = "cuda";
  constexpr std::string_view kNumbered = "cuda:";
  if (name == kFirst) {
    return 0;
  }
  int index = -1;
  const char* end = name.data() + name.size();
  if (name.starts_with(kNumbered)) {
    const auto read = std::from_chars(name.data() + kNumbered.size(), end, index);
    index = read.ec == std::errc() && read.ptr == end ? index : -1;
  }
  if (index < 0) {
    fail_usage("--device {}: cpu, cuda or cuda:N", name);
  }
  return index;
}

void compute_exactly_and_alike() {
  auto& context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setBenchmarkCuDNN(false);  // it would choose kernels by their time
  context.setDeterministicCuDNN(true);
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // sums of cuBLAS in one order
}

}  // namespace

int cuda_devices() { return load_cuda().empty() ? static_cast<int>(torch::cuda::device_count()) : 0; }

torch::Device device() { return chosen(); }

std::string device_name() { return c10::DeviceTypeName(chosen().type(), /*lower_case=*/true); }

void use_device(torch::Device device) { chosen() = device; }

torch::Tensor moved(const torch::Tensor& tensor, torch::Device device) {
  return tensor.device() == device ? tensor : tensor.to(device);
}

void use_device(const std::string& name) {
  if (name == "cpu") {
    use_device(torch::Device(torch::kCPU));
    return;
  }
  const int index = cuda_index(name);
  if (const auto why = load_cuda(); !why.empty()) {
    fail_usage("--device {}: {}", name, why);
  }
  const auto count = static_cast<int>(torch::cuda::device_count());
  if (index >= count) {
    fail_usage("--device {}: {} CUDA devices are there (or their driver is not)", name, count);
  }
  compute_exactly_and_alike();
  use_device(torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index)));
}

void wait_for_device() {
  if (chosen().is_cuda()) {
    torch::cuda::synchronize(chosen().index());
  }
}

}  // namespace steadyiqa::parallel
