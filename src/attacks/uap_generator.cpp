#include "attacks/uap_generator.h"

#include "base/error.h"
#include "models/initialise.h"

#include <torch/torch.h>

#include <algorithm>

namespace steadyiqa::attacks {
namespace {

constexpr std::size_t kMostLevels = 8;

std::size_t levels_of(std::int64_t side) {
  std::size_t levels = 0;
  for (; levels < kMostLevels && side % 2 == 0; side /= 2) {
    ++levels;
  }
  if (levels == 0) {
    fail_usage("a generator makes tiles of an even side, not of {} (256 and 224 are good)", side);
  }
  return levels;
}

torch::Tensor instance_norm(const torch::Tensor& x) {
  return torch::instance_norm(x, {}, {}, {}, {}, /*use_input_stats=*/true, /*momentum=*/0.1, /*eps=*/1e-5,
                              /*cudnn_enabled=*/false);
}

}  // namespace

UapGenerator::UapGenerator(std::int64_t side, std::int64_t channels, std::uint64_t seed) {
  const auto levels = levels_of(side);
  const auto width = [&](std::size_t level) { return channels * std::min<std::int64_t>(1LL << level, 8); };
  const auto geometry = [](auto options) { return options.stride(2).padding(1); };
  for (std::size_t i = 0; i < levels; ++i) {
    const auto in = i == 0 ? 3 : width(i - 1);
    down_.emplace_back(register_module(fmt::format("down{}", i),
                                       torch::nn::Conv2d(geometry(torch::nn::Conv2dOptions(in, width(i), 4)))));
    const auto from = i + 1 == levels ? width(i) : 2 * width(i);  // the levels above get a skip beside
    up_.emplace_back(register_module(
        fmt::format("up{}", i), torch::nn::ConvTranspose2d(geometry(torch::nn::ConvTranspose2dOptions(from, in, 4)))));
  }
  const torch::NoGradGuard no_grad;
  for (const auto& item : named_parameters()) {
    if (item.value().dim() == 4) {
      models::initialise_narrow(item.value(), seed, item.key());
    } else {
      item.value().zero_();
    }
  }
}

torch::Tensor UapGenerator::forward(const torch::Tensor& noise) {
  constexpr double kLeak = 0.2;
  const auto deepest = down_.size() - 1;
  std::vector<torch::Tensor> skips;
  auto x = down_[0]->forward(noise);
  for (std::size_t i = 1; i <= deepest; ++i) {
    skips.push_back(x);
    x = down_[i]->forward(torch::leaky_relu(x, kLeak));
    if (i < deepest) {
      x = instance_norm(x);  // the deepest may be one pixel, which has no deviation
    }
  }
  for (std::size_t i = deepest; i > 0; --i) {
    x = instance_norm(up_[i]->forward(torch::relu(x)));
    x = torch::cat({x, skips[i - 1]}, 1);
  }
  return torch::tanh(up_[0]->forward(torch::relu(x)));
}

}  // namespace steadyiqa::attacks
