#include "models/layers.h"

#include "models/model_test_support.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/forward_grad.h>
#include <torch/torch.h>

#include <functional>
#include <utility>

namespace steadyiqa::models {
namespace {

using Function = std::function<torch::Tensor(torch::Tensor)>;

/// Each of ours and libtorch's own, out of place.
const std::vector<std::pair<Function, Function>>& pairs() {
  static const std::vector<std::pair<Function, Function>> kPairs = {
      {apply_relu, [](const torch::Tensor& x) { return torch::relu(x); }},
      {apply_relu6, [](const torch::Tensor& x) { return torch::hardtanh(x, 0, 6); }}};
  return kPairs;
}

/// From -10 to 10, both bends among them.
torch::Tensor values(torch::ScalarType type = torch::kFloat32) { return torch::linspace(-10, 10, 101).to(type); }

TEST(Activation, ValuesAndGradientsAreLibtorchs) {
  for (const auto& [ours, libtorchs] : pairs()) {
    for (const auto type : {torch::kFloat32, torch::kFloat64}) {
      const auto x = values(type).requires_grad_(true);
      const auto slope = torch::arange(101).to(type);
      const auto y = ours(x * 1);
      const auto expected = libtorchs(x);
      EXPECT_TRUE(torch::equal(y, expected));
      EXPECT_TRUE(torch::equal(torch::autograd::grad({(y * slope).sum()}, {x})[0],
                               torch::autograd::grad({(expected * slope).sum()}, {x})[0]));
    }
  }
}

// Which libtorch 1.13 has no backward pass of its ReLU6 for. The values are exact in bfloat16, the bends among them.
TEST(Activation, GradientInBfloat16IsThatOfFloat32) {
  for (const auto& [ours, libtorchs] : pairs()) {
    const auto x = (torch::arange(101).to(torch::kFloat32) / 8 - 3).requires_grad_(true);
    const auto lowered = x.detach().to(torch::kBFloat16).requires_grad_(true);
    const auto y = ours(lowered * 1);
    const auto expected = libtorchs(x);
    EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
    EXPECT_TRUE(torch::equal(y.to(torch::kFloat32), expected));
    EXPECT_TRUE(torch::equal(torch::autograd::grad({y.sum()}, {lowered})[0].to(torch::kFloat32),
                             torch::autograd::grad({expected.sum()}, {x})[0]));
  }
}

/// The tangent along ones of function(scale * x), and the gradient by `scale` of a function of it.
std::pair<torch::Tensor, torch::Tensor> tangent_and_gradient(const Function& function, const torch::Tensor& scale,
                                                             const torch::Tensor& x) {
  const auto level = torch::autograd::ForwardADLevel::get_next_idx();
  const auto index = static_cast<std::int64_t>(level);
  const auto dual = at::_make_dual(x.detach(), torch::ones_like(x), index);
  const auto [primal, tangent] = at::_unpack_dual(function(dual * scale).to(torch::kFloat32), index);
  auto gradient = torch::autograd::grad({tangent.square().sum() + primal.sum()}, {scale})[0];
  auto result = std::pair{tangent.detach().clone(), std::move(gradient)};
  torch::autograd::ForwardADLevel::release_idx(level);
  return result;
}

TEST(Activation, TangentsAndTheirGradientsAreLibtorchs) {
  for (const auto& [ours, libtorchs] : pairs()) {
    const auto scale = torch::tensor(2.0F).requires_grad_(true);
    const auto expected = tangent_and_gradient(libtorchs, scale, values());
    const auto got = tangent_and_gradient(ours, scale, values());
    EXPECT_TRUE(torch::equal(got.first, expected.first));
    EXPECT_TRUE(torch::equal(got.second, expected.second));
    const auto x = torch::arange(101).to(torch::kFloat32) / 8 - 3;
    const auto lowered = torch::tensor(2.0F).to(torch::kBFloat16).requires_grad_(true);
    EXPECT_TRUE(torch::equal(tangent_and_gradient(ours, lowered, x.to(torch::kBFloat16)).first,
                             tangent_and_gradient(libtorchs, scale, x).first));
  }
}

// With a bias, strides, dilation and groups.
TEST(Convolution, TangentsAndTheirGradientsAreLibtorchs) {
  const auto options = torch::nn::Conv2dOptions(4, 6, 3).stride({2, 1}).padding(1).dilation({1, 2}).groups(2);
  Convolution ours(options);
  torch::nn::Conv2d libtorchs(options);
  fill_hash_weights(*ours);
  fill_hash_weights(*libtorchs);
  const auto scale = torch::tensor(2.0F).requires_grad_(true);
  const auto x = hash_input(3, 2, 9, 16).view({2, 4, 9, 12});
  const auto expected = tangent_and_gradient([&](torch::Tensor y) { return libtorchs->forward(y).square(); }, scale, x);
  const auto got = tangent_and_gradient([&](torch::Tensor y) { return ours->forward(y).square(); }, scale, x);
  EXPECT_TRUE(torch::equal(ours->forward(x), libtorchs->forward(x)));
  EXPECT_TRUE(torch::allclose(got.first, expected.first, 1e-6, 1e-5));
  EXPECT_TRUE(torch::allclose(got.second, expected.second, 1e-5, 1e-5));
}

}  // namespace
}  // namespace steadyiqa::models
