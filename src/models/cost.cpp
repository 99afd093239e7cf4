#include "models/cost.h"

#include "base/error.h"

#include <ATen/record_function.h>
#include <torch/torch.h>

#include <memory>
#include <string_view>

namespace steadyiqa::models {
namespace {

/// The sum of the calling thread's running count.
std::int64_t& counted() {
  thread_local std::int64_t sum = 0;
  return sum;
}

/// Outputs of each channel times inputs that each of them reads.
std::int64_t convolution(c10::ArrayRef<const c10::IValue> inputs) {
  const auto& x = inputs[0].toTensor();
  const auto& weight = inputs[1].toTensor();
  const auto stride = inputs[3].toIntVector();
  const auto padding = inputs[4].toIntVector();
  const auto dilation = inputs[5].toIntVector();
  STEADYIQA_ASSERT(!inputs[6].toBool(), "a transposed convolution is not counted");
  std::int64_t places = x.size(0);
  for (std::size_t i = 0; i < stride.size(); ++i) {
    const auto dim = static_cast<std::int64_t>(i) + 2;
    places *= (x.size(dim) + 2 * padding[i] - dilation[i] * (weight.size(dim) - 1) - 1) / stride[i] + 1;
  }
  return places * weight.numel();
}

/// a [.., n, k] times b [.., k, m].
std::int64_t product(const c10::IValue& a, const c10::IValue& b) {
  return a.toTensor().numel() * b.toTensor().size(-1);
}

std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  const auto inputs = function.inputs();
  if (name == "aten::convolution") {
    counted() += convolution(inputs);
  } else if (name == "aten::mm" || name == "aten::bmm") {
    counted() += product(inputs[0], inputs[1]);
  } else if (name == "aten::addmm" || name == "aten::baddbmm") {
    counted() += product(inputs[1], inputs[2]);
  }
  return nullptr;
}

/// Operators of this thread are counted while it lives.
class Counting {
 public:
  Counting()
      : handle_(at::addThreadLocalCallback(
            at::RecordFunctionCallback(count).needsInputs(true).scopes({at::RecordScope::FUNCTION}))) {
    counted() = 0;
  }
  ~Counting() { at::removeCallback(handle_); }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  Counting(Counting&&) = delete;
  Counting& operator=(Counting&&) = delete;

 private:
  at::CallbackHandle handle_;
};

}  // namespace

std::int64_t parameter_count(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const auto& parameter : module.parameters()) {
    count += parameter.numel();
  }
  return count;
}

std::int64_t multiply_adds(Network& network, const torch::Tensor& x) {
  torch::NoGradGuard no_grad;
  const EvalMode eval(network);
  const Counting counting;
  static_cast<void>(network.forward(x));
  return counted();
}

bool mostly_products(const torch::nn::Module& module) {
  std::int64_t in_products = 0;
  for (const auto& child : module.modules()) {
    if (child->as<torch::nn::Linear>() != nullptr) {
      in_products += parameter_count(*child);
    }
  }
  return 2 * in_products > parameter_count(module);
}

}  // namespace steadyiqa::models
