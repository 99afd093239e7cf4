#include "models/initialise.h"

#include "base/seed.h"

#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::models {
namespace {

void fill_normal(torch::Tensor tensor, double deviation, Rng rng) {
  auto flat = torch::empty({tensor.numel()}, torch::kFloat32);
  auto* data = flat.data_ptr<float>();
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    data[i] = static_cast<float>(rng.normal() * deviation);
  }
  tensor.copy_(flat.view(tensor.sizes()));
}

void fill_uniform(torch::Tensor tensor, double bound, Rng rng) {
  auto flat = torch::empty({tensor.numel()}, torch::kFloat32);
  auto* data = flat.data_ptr<float>();
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    data[i] = static_cast<float>(rng.uniform(-bound, bound));
  }
  tensor.copy_(flat.view(tensor.sizes()));
}

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
  }
}

}  // namespace

void initialise(torch::nn::Module& module, std::uint64_t seed,
                const std::function<WeightInit(const std::string&)>& rule) {
  torch::NoGradGuard no_grad;
  for (const auto& item : module.named_modules("", /*include_self=*/false)) {
    const auto& name = item.key();
    auto& child = *item.value();
    const auto rng_for = [&](const std::string& parameter) {
      return Rng(derive_seed(seed, "init." + name + "." + parameter));
    };
    if (auto* norm = child.as<torch::nn::BatchNorm2d>()) {
      norm->reset_parameters();
      continue;
    }
    const auto parameters = child.named_parameters(/*recurse=*/false);
    const auto* weight = parameters.find("weight");
    if (weight == nullptr || weight->dim() < 2) {
      continue;
    }
    initialise_weight(*weight, rule(name), rng_for("weight"));
    if (const auto* bias = parameters.find("bias")) {
      fill_uniform(*bias, 1.0 / std::sqrt(fans(*weight).in), rng_for("bias"));
    }
  }
}

}  // namespace steadyiqa::models
