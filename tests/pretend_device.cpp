#include "pretend_device.h"

#include "parallel/device.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>
#if TORCH_VERSION_MAJOR >= 2
#include <ATen/detail/HPUHooksInterface.h>
#endif
#include <torch/torch.h>

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

// The name of a device whose kernels this libtorch has not, and which a module can be moved to.
#if TORCH_VERSION_MAJOR >= 2
#define PRETEND_DEVICE HPU
#else
#define PRETEND_DEVICE XPU
#endif

namespace steadyiqa::testing {
namespace {

constexpr auto kType = c10::DeviceType::PRETEND_DEVICE;
constexpr c10::DispatchKeySet kKeys{c10::DispatchKey::PRETEND_DEVICE};

#if TORCH_VERSION_MAJOR >= 2
/// That there is one.
struct Hooks final : at::HPUHooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasHPU() const override { return true; }
  bool hasPrimaryContext(at::DeviceIndex /*index*/) const override { return true; }
  void init() const override {}
  at::DeviceIndex deviceCount() const override { return 1; }
  at::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(at::DeviceIndex /*index*/) const override {}
  at::DeviceIndex exchangeDevice(at::DeviceIndex /*index*/) const override { return 0; }
  at::DeviceIndex maybeExchangeDevice(at::DeviceIndex /*index*/) const override { return 0; }
  const at::Generator& getDefaultGenerator(at::DeviceIndex /*index*/) const override {
    return at::detail::getDefaultCPUGenerator();
  }
};
const bool kHooked = [] {
  at::HPUHooksRegistry()->Register("HPUHooks", [](at::HPUHooksArgs /*args*/) -> std::unique_ptr<at::HPUHooksInterface> {
    return std::make_unique<Hooks>();
  });
  return true;
}();
#endif

/// Memory of the processor under the device's name.
class Memory final : public c10::Allocator {
 public:
#if TORCH_VERSION_MAJOR >= 2
  c10::DataPtr allocate(std::size_t bytes) override { return made(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }
#else
  c10::DataPtr allocate(std::size_t bytes) const override { return made(bytes); }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return &std::free; }

 private:
  static c10::DataPtr made(std::size_t bytes) {
    void* data = std::malloc(bytes == 0 ? 1 : bytes);
    return {data, data, &std::free, {kType, 0}};
  }
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

/// The processor's operator `name` on the device's memory itself, where a copy would not do or the device has an
/// operator of its own name.
void in_memory(const char* name, torch::jit::Stack* stack) {
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(name, "");
  const auto change_last = [&](std::size_t count, const std::function<torch::Tensor(const torch::Tensor&)>& change) {
    for (auto value = stack->end() - static_cast<std::ptrdiff_t>(count); value != stack->end(); ++value) {
      if (value->isTensor() && value->toTensor().defined()) {
        *value = change(value->toTensor());
      }
    }
  };
  change_last(op.schema().arguments().size(), [&](const torch::Tensor& argument) {
    require_one_device(name, argument);
    return plain(argument);
  });
  op.callBoxed(stack);
  change_last(op.schema().returns().size(),
              [](const torch::Tensor& result) { return result.to(torch::Device(kType, 0)); });
}

void convolution(const c10::OperatorHandle& /*op*/, torch::jit::Stack* stack) { in_memory("aten::convolution", stack); }

void convolution_backward(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  constexpr std::int64_t kWeight = 2;
  const auto arguments = static_cast<std::int64_t>(op.schema().arguments().size());
  const auto bias = stack->end() - arguments + kWeight + 1;  // one more argument: the bias's sizes
  const auto channels = (bias - 1)->toTensor().size(0);
  stack->insert(bias, c10::IValue(std::vector<std::int64_t>{channels}));
  in_memory("aten::convolution_backward", stack);
}

/// Its schema does not say that it updates the running statistics: on_processor would update copies.
void batch_norm(const c10::OperatorHandle& /*op*/, torch::jit::Stack* stack) {
  in_memory("aten::native_batch_norm", stack);
}

/// One device, whose operators have ended when they return.
struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device /*device*/) const override { return getDevice(); }
  c10::Device getDevice() const override { return {kType, 0}; }
  void setDevice(c10::Device /*device*/) const override {}
  void uncheckedSetDevice(c10::Device /*device*/) const noexcept override {}
  c10::Stream getStream(c10::Device /*device*/) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, getDevice());
  }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void** /*event*/, const c10::Stream& /*stream*/, c10::DeviceIndex /*index*/,
              c10::EventFlag /*flag*/) const override {}
  void block(void* /*event*/, const c10::Stream& /*stream*/) const override {}
  bool queryEvent(void* /*event*/) const override { return true; }
  void destroyEvent(void* /*event*/, c10::DeviceIndex /*index*/) const noexcept override {}
  bool queryStream(const c10::Stream& /*stream*/) const override { return true; }
  void synchronizeStream(const c10::Stream& /*stream*/) const override {}
};

// As the program starts: with its first backward pass libtorch makes a thread for each device that there is.
const c10::impl::DeviceGuardImplRegistrar kGuard(kType, new Guard);

}  // namespace

TORCH_LIBRARY_IMPL(_, PRETEND_DEVICE, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&on_processor>());
}

TORCH_LIBRARY_IMPL(aten, PRETEND_DEVICE, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", empty_strided);
  library.impl("_copy_from", copy_from);
  library.impl("_copy_from_and_resize", copy_from_and_resize);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
  library.impl("resize_", at::native::resize_);
  library.impl("native_batch_norm", torch::CppFunction::makeFromBoxedFunction<&batch_norm>());
  library.impl("convolution_overrideable", torch::CppFunction::makeFromBoxedFunction<&convolution>());
  library.impl("convolution_backward_overrideable", torch::CppFunction::makeFromBoxedFunction<&convolution_backward>());
}

torch::Device pretend_device() { return {kType, 0}; }

OnPretendDevice::OnPretendDevice() { parallel::use_device(pretend_device()); }
OnPretendDevice::~OnPretendDevice() { parallel::use_device(torch::kCPU); }

}  // namespace steadyiqa::testing
