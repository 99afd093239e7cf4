#include "pretend_device.h"

#include "parallel/device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>
#include <torch/torch.h>

#include <cstdlib>
#include <memory>
#include <string>

namespace steadyiqa::testing {
namespace {

constexpr auto kType = c10::DeviceType::XPU;
constexpr c10::DispatchKeySet kKeys{c10::DispatchKey::XPU};

/// Memory of the processor under the device's name.
class Memory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) const override {
    void* data = std::malloc(bytes == 0 ? 1 : bytes);
    return {data, data, &std::free, {kType, 0}};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &std::free; }
};

Memory& memory() {
  static Memory memory;
  return memory;
}

/// The same memory as a tensor of the processor.
torch::Tensor plain(const torch::Tensor& tensor) {
  if (tensor.device().type() != kType) {
    return tensor;
  }
  return torch::from_blob(
      tensor.data_ptr(), tensor.sizes(), tensor.strides(), [tensor](void*) {},
      tensor.options().device(torch::kCPU).requires_grad(false));
}

torch::Tensor empty(at::IntArrayRef size, c10::optional<at::ScalarType> type, c10::optional<at::Layout> /*layout*/,
                    c10::optional<at::Device> /*device*/, c10::optional<bool> /*pinned*/,
                    c10::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &memory(), kKeys, c10::dtype_or_default(type), format);
}

torch::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, c10::optional<at::ScalarType> type,
                            c10::optional<at::Layout> /*layout*/, c10::optional<at::Device> /*device*/,
                            c10::optional<bool> /*pinned*/) {
  return at::detail::empty_strided_generic(size, stride, &memory(), kKeys, c10::dtype_or_default(type));
}

/// The one way between the devices.
torch::Tensor copy_from(const torch::Tensor& from, const torch::Tensor& to, bool /*non_blocking*/) {
  plain(to).copy_(plain(from));
  return to;
}

torch::Tensor copy_from_and_resize(const torch::Tensor& from, const torch::Tensor& to) {
  if (to.sizes() != from.sizes()) {
    to.resize_(from.sizes());
  }
  return copy_from(from, to, false);
}

void require_one_device(const std::string& op, const at::TensorList& tensors) {
  for (const torch::Tensor& tensor : tensors) {
    const bool number = tensor.defined() && tensor.dim() == 0;  // goes with every device
    TORCH_CHECK(!tensor.defined() || number || tensor.device().type() == kType, op,
                ": a tensor of the processor among the device's");
  }
}

/// The processor's operator, where all that it gets is the device's.
void on_processor(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  for (const auto& argument : torch::jit::last(*stack, op.schema().arguments().size())) {
    if (argument.isTensor()) {
      require_one_device(op.schema().name(), argument.toTensor());
    } else if (argument.isTensorList()) {
      require_one_device(op.schema().name(), argument.toTensorVector());
    }
  }
  at::native::cpu_fallback(op, stack);
}

torch::Tensor to_device(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.to(torch::Device(kType, 0)) : tensor;
}

torch::Tensor convolution(const torch::Tensor& x, const torch::Tensor& weight, const c10::optional<torch::Tensor>& bias,
                          at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
                          at::IntArrayRef output_padding, std::int64_t groups) {
  const auto b = bias.value_or(torch::Tensor());
  require_one_device("convolution", {x, weight, b});
  return to_device(at::convolution(plain(x), plain(weight), b.defined() ? plain(b) : b, stride, padding, dilation,
                                   transposed, output_padding, groups));
}

std::tuple<torch::Tensor, torch::Tensor, torch::Tensor> convolution_backward(
    const torch::Tensor& of_output, const torch::Tensor& x, const torch::Tensor& weight, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed, at::IntArrayRef output_padding,
    std::int64_t groups, std::array<bool, 3> wanted) {
  require_one_device("convolution_backward", {of_output, x, weight});
  const std::vector<std::int64_t> bias_size = {weight.size(0)};
  const auto [a, b, c] =
      at::convolution_backward(plain(of_output), plain(x), plain(weight), at::OptionalIntArrayRef(bias_size), stride,
                               padding, dilation, transposed, output_padding, groups, wanted);
  return {to_device(a), to_device(b), to_device(c)};
}

/// By hand, since its schema does not say that it updates the running statistics: on_processor would update copies.
std::tuple<torch::Tensor, torch::Tensor, torch::Tensor> batch_norm(const torch::Tensor& x,
                                                                   const c10::optional<torch::Tensor>& weight,
                                                                   const c10::optional<torch::Tensor>& bias,
                                                                   const c10::optional<torch::Tensor>& mean,
                                                                   const c10::optional<torch::Tensor>& variance,
                                                                   bool training, double momentum, double epsilon) {
  require_one_device("native_batch_norm", {x, *weight, *bias, *mean, *variance});
  const auto [y, batch_mean, batch_deviation] = at::native_batch_norm(
      plain(x), plain(*weight), plain(*bias), plain(*mean), plain(*variance), training, momentum, epsilon);
  return {to_device(y), to_device(batch_mean), to_device(batch_deviation)};
}

// As the program starts: with its first backward pass libtorch makes a thread for each device that there is.
const c10::impl::DeviceGuardImplRegistrar kGuard(kType, new c10::impl::NoOpDeviceGuardImpl<kType>());

}  // namespace

TORCH_LIBRARY_IMPL(_, XPU, library) { library.fallback(torch::CppFunction::makeFromBoxedFunction<&on_processor>()); }

TORCH_LIBRARY_IMPL(aten, XPU, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", empty_strided);
  library.impl("_copy_from", copy_from);
  library.impl("_copy_from_and_resize", copy_from_and_resize);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
  library.impl("resize_", at::native::resize_);
  library.impl("native_batch_norm", batch_norm);
  library.impl("convolution_overrideable", convolution);
  library.impl("convolution_backward_overrideable", convolution_backward);
}

torch::Device pretend_device() { return {kType, 0}; }

OnPretendDevice::OnPretendDevice() { parallel::use_device(pretend_device()); }
OnPretendDevice::~OnPretendDevice() { parallel::use_device(torch::kCPU); }

}  // namespace steadyiqa::testing
