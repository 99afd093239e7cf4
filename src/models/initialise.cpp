#include "models/initialise.h"

#include "base/seed.h"
#include "models/conv_norm.h"

#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::models {
namespace {

void fill_normal(const torch::Tensor& tensor, double deviation, Rng rng) {
  auto flat = torch::empty({tensor.numel()}, torch::kFloat32);
  auto* data = flat.data_ptr<float>();
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    data[i] = static_cast<float>(rng.normal() * deviation);
  }
  tensor.copy_(flat.view(tensor.sizes()));
}

void fill_uniform(const torch::Tensor& tensor, double bound, Rng rng) {
  auto flat = torch::empty({tensor.numel()}, torch::kFloat32);
  auto* data = flat.data_ptr<float>();
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    data[i] = static_cast<float>(rng.uniform(-bound, bound));
  }
  tensor.copy_(flat.view(tensor.sizes()));
}

/// PyTorch's trunc_normal_(std = 0.02) cuts at +-2, a hundred deviations out: nowhere.
constexpr double kNarrowDeviation = 0.02;

struct Fans {
  double in, out;
};

Fans fans(const torch::Tensor& weight) {
  const auto kernel = static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0) * weight.size(1));
  return {static_cast<double>(weight.size(1)) * kernel, static_cast<double>(weight.size(0)) * kernel};
}

void initialise_weight(const torch::Tensor& weight, WeightInit init, const Rng& rng) {
  const auto fan = fans(weight);
  switch (init) {
    case WeightInit::kTorchDefault:
      return fill_uniform(weight, 1.0 / std::sqrt(fan.in), rng);
    case WeightInit::kFanInNormal:
      return fill_normal(weight, std::sqrt(2.0 / fan.in), rng);
    case WeightInit::kFanOutNormal:
      return fill_normal(weight, std::sqrt(2.0 / fan.out), rng);
    case WeightInit::kNarrowNormal:
      return fill_normal(weight, kNarrowDeviation, rng);
  }
}

/// Resets the module if it is one of these.
template <class... Norms>
bool reset_if_any(torch::nn::Module& module) {
  const auto reset = [](auto* norm) {
    if (norm != nullptr) {
      norm->reset_parameters();
    }
    return norm != nullptr;
  };
  return (reset(module.as<Norms>()) || ...);
}

Rng rng_of(std::uint64_t seed, const std::string& tensor) { return Rng(derive_seed(seed, "init." + tensor)); }

}  // namespace

void initialise(torch::nn::Module& module, std::uint64_t seed,
                const std::function<LayerInit(const std::string&)>& rule) {
  torch::NoGradGuard no_grad;
  for (const auto& item : module.named_modules("", /*include_self=*/false)) {
    const auto& name = item.key();
    auto& child = *item.value();
    if (reset_if_any<ConvNorm, torch::nn::BatchNorm2d, torch::nn::BatchNorm1d, torch::nn::LayerNorm>(child)) {
      continue;
    }
    if (child.as<torch::nn::Conv2d>() == nullptr && child.as<torch::nn::Linear>() == nullptr) {
      continue;
    }
    const auto parameters = child.named_parameters(/*recurse=*/false);
    const auto& weight = parameters["weight"];
    const auto layer = rule(name);
    initialise_weight(weight, layer.weight, rng_of(seed, name + ".weight"));
    if (const auto* bias = parameters.find("bias")) {
      if (layer.bias == BiasInit::kZero) {
        bias->zero_();
      } else {
        fill_uniform(*bias, 1.0 / std::sqrt(fans(weight).in), rng_of(seed, name + ".bias"));
      }
    }
  }
}

void initialise_narrow(const torch::Tensor& tensor, std::uint64_t seed, const std::string& name) {
  torch::NoGradGuard no_grad;
  fill_normal(tensor, kNarrowDeviation, rng_of(seed, name));
}

}  // namespace steadyiqa::models
