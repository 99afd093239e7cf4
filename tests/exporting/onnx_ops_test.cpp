// Each operation of the table, run by onnxruntime and by src/inference against libtorch on a batch that was not traced.
#include "exporting/onnx_ops.h"

#include "base/expect_error.h"
#include "base/temp_folder.h"
#include "exporting/onnxruntime.h"
#include "exporting/run_plan.h"
#include "models/model_test_support.h"

#include <ATen/TracerMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::exporting {
namespace {

using steadyiqa::testing::error_message;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Tensor = torch::Tensor;
namespace F = torch::nn::functional;

constexpr std::int64_t kSide = 8;

/// What the traced functions take as constants must not be traced itself.
Tensor constant(const std::function<Tensor()>& make) {
  const at::tracer::impl::NoTracerDispatchMode untraced;
  return make();
}

/// Weights of any shape in [-1,1).
Tensor weights(const std::vector<std::int64_t>& shape, std::uint32_t seed) {
  return constant([&] {
    std::int64_t count = 1;
    for (const auto size : shape) {
      count *= size;
    }
    return (models::hash_input(seed, 1, 1, count).slice(1, 0, 1).flatten() / 2).view(shape);
  });
}

std::string exported(const std::function<Tensor(const Tensor&)>& function, std::int64_t batch = 0) {
  auto traces = trace([&](const Tensor& x) { return std::vector<Tensor>{function(x)}; }, batch, {3, kSide, kSide});
  traces.outputs = {"y"};
  return lower(traces).serialise("test", {});
}

struct Case {
  const char* name;
  std::function<Tensor(const Tensor&)> function;
};

std::vector<Case> layer_cases() {
  return {
      {"grouped, dilated convolution",
       [](const Tensor& x) {
         return torch::conv2d(x, weights({6, 1, 3, 3}, 1), weights({6}, 2), {2, 1}, {1, 2}, {1, 2}, 3);
       }},
      {"convolution without bias",
       [](const Tensor& x) {
         return torch::relu(torch::conv2d(x, weights({4, 3, 3, 3}, 3)));
       }},
      {"average pool",
       [](const Tensor& x) {
         return torch::avg_pool2d(x, {3, 3}, {2, 2}, {1, 1});
       }},
      {"average pool of valid pixels, own stride",
       [](const Tensor& x) {
         return torch::avg_pool2d(x, {4, 2}, {}, {1, 1}, false, false);
       }},
      {"max pool",
       [](const Tensor& x) {
         return torch::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}, {1, 1});
       }},
      {"batch norm of maps and of vectors",
       [](const Tensor& x) {
         const auto norm = [](const Tensor& y) {
           return torch::batch_norm(y, weights({3}, 1), weights({3}, 2), weights({3}, 3),
                                    constant([] { return weights({3}, 4).abs() + 0.1; }), false, 0.1, 1e-3, false);
         };
         return norm(norm(x).mean({2, 3}));
       }},
      {"layer norm", [](const Tensor& x) { return torch::layer_norm(x, {8}, weights({8}, 1), weights({8}, 2), 1e-3); }},
      {"layer norm over two dimensions",
       [](const Tensor& x) {
         return torch::layer_norm(x, {8, 8}, weights({8, 8}, 1), weights({8, 8}, 2));
       }},
      {"gelu", [](const Tensor& x) { return torch::gelu((x - 0.5) * 6); }},
      {"relu6, clamps",
       [](const Tensor& x) {
         const auto y = x * 20 - 8;
         return torch::cat({torch::relu6(y), y.clamp(-1, 3), y.clamp_min(2),
                            torch::clamp(y, c10::optional<at::Scalar>(), c10::optional<at::Scalar>(1))},
                           1);
       }},
      {"softmax and sigmoid", [](const Tensor& x) { return torch::sigmoid(torch::softmax(x * 5, 1)); }},
      {"dropout in eval mode, in-place add",
       [](const Tensor& x) {
         return torch::dropout(x * 2, 0.5, false).add_(weights({3, 8, 8}, 1));
       }},
      {"bilinear resize of both kinds",
       [](const Tensor& x) {
         return torch::cat(
             {torch::upsample_bilinear2d(x, {13, 5}, true), torch::upsample_bilinear2d(x, {13, 5}, false)}, 1);
       }},
  };
}

/// What src/inference makes one operation of.
std::vector<Case> fused_cases() {
  const auto mix = [](const Tensor& x, std::uint32_t seed) {
    return torch::conv2d(x, weights({4, x.size(1), 3, 3}, seed) / 4, weights({4}, seed), 1, 1);
  };
  return {
      {"batch norm and relu6 behind a convolution",
       [=](const Tensor& x) {
         const auto norm =
             torch::batch_norm(mix(x, 1), weights({4}, 1), weights({4}, 2), weights({4}, 3),
                               constant([] { return weights({4}, 4).abs() + 0.1; }), false, 0.1, 1e-3, false);
         return torch::relu6(norm);
       }},
      {"shortcut from the convolution's own input",
       [=](const Tensor& x) {
         const auto from = mix(x, 1);
         return torch::relu(mix(from, 2) + from);
       }},
      {"shortcut around two convolutions",
       [=](const Tensor& x) {
         const auto from = mix(x, 1);
         return torch::relu(mix(torch::relu(mix(from, 2)), 3) + from);
       }},
      {"shortcut that is read again",
       [=](const Tensor& x) {
         const auto from = mix(x, 1);
         const auto sum = mix(torch::relu(mix(from, 2)), 3) + from;
         return sum + mix(from, 4);
       }},
      {"shortcut that a view has, too",
       [=](const Tensor& x) {
         const auto from = mix(x, 1);
         const auto view = from.flatten(1);
         const auto sum = mix(torch::relu(mix(from, 2)), 3) + from;
         return sum.flatten(1) + view;
       }},
      {"convolution added to itself",
       [=](const Tensor& x) {
         const auto y = mix(x, 1);
         return torch::relu(y + y);
       }},
  };
}

std::vector<Case> product_cases() {
  return {
      {"linear of vectors and of tokens",
       [](const Tensor& x) {
         const auto tokens = F::linear(x, weights({5, 8}, 1), weights({5}, 2));
         return F::linear(tokens.flatten(1), weights({2, 120}, 3), weights({2}, 4)) +
                torch::linear(x, weights({2, 8}, 5)).sum(1).mean(1);
       }},
      {"bmm and matmul",
       [](const Tensor& x) {
         return torch::bmm(x.flatten(2), torch::matmul(x, weights({8, 8}, 1)).flatten(2).transpose(1, 2));
       }},
      {"baddbmm",
       [](const Tensor& x) {
         return torch::baddbmm(x.select(1, 0), x.select(1, 1), x.select(1, -1).transpose(-2, -1));
       }},
      {"arithmetic with numbers", [](const Tensor& x) { return torch::sqrt((x - 0.25) * (x - 0.25) + 1e-3) / 3.0; }},
      {"mean, sum and norm",
       [](const Tensor& x) {
         return x.mean({1}, true) + x.sum(2, true).norm(2, {1, 3}, true) + x.mean({2, 3}, true);
       }},
      {"sum of all but the batch",
       [](const Tensor& x) {
         return x.sum({1, 2, 3});
       }},
      {"unit vectors",
       [](const Tensor& x) { return F::normalize(x.flatten(1), F::NormalizeFuncOptions().p(2).dim(1)); }},
  };
}

std::vector<Case> shape_cases() {
  return {
      {"views that hold the batch size",
       [](const Tensor& x) {
         const auto y = x.view({x.size(0), 3, 2, 32}).permute({2, 0, -1, 1}).reshape({2, x.size(0) * 32, 3});
         return y.reshape({2, x.size(0), -1}).transpose(0, 1).contiguous().view({x.size(0), -1});
       }},
      {"windows folded into the batch and back",
       [](const Tensor& x) {
         const auto windows = x.view({-1, 3, 2, 4, 2, 4}).transpose(3, 4).reshape({-1, 16, 2});
         return windows.flatten().view(x.sizes());
       }},
      {"squeeze, unsqueeze, transposed matrix",
       [](const Tensor& x) {
         return x.slice(1, 0, 1).squeeze(1).unsqueeze(2).select(3, 0).squeeze(2).matmul(weights({4, 8}, 1).t());
       }},
      {"token for each image of the batch",
       [](const Tensor& x) {
         return torch::cat({weights({1, 1, 64}, 1).expand({x.size(0), -1, -1}), x.flatten(2)}, 1);
       }},
      {"slices",
       [](const Tensor& x) {
         return torch::cat({x.slice(2, 1, 7, 2), x.slice(2, -3)}, 2);
       }},
      {"roll",
       [](const Tensor& x) {
         return x.roll({-2, 3}, {2, -1}).roll({9}, {1});
       }},
      {"table by index",
       [](const Tensor& x) {
         const auto index = constant([] { return torch::arange(7, -1, -1); });
         return x + weights({8, 8}, 1).index_select(0, index);
       }},
      {"unbind",
       [](const Tensor& x) {
         const auto parts = x.unbind(1);
         return parts[0] * parts[2] - parts[1];
       }},
  };
}

/// Float32 sums of up to 200 terms near 1, in another order.
void expect_close(const Tensor& result, const Tensor& expected, const std::string& name) {
  if (!result.sizes().equals(expected.sizes())) {
    ADD_FAILURE() << name << ": " << result.sizes() << " for " << expected.sizes();
    return;
  }
  EXPECT_LT((result - expected).abs().max().item<double>(), 1e-5) << name;
}

class OnnxOps : public steadyiqa::testing::TempFolder {
 protected:
  /// Runs the cases with one image and with five; the traces have two and three.
  void expect_same(const std::vector<Case>& cases) const {
    const auto no_onnxruntime = steadyiqa::testing::no_onnxruntime();
    steadyiqa::testing::OnnxJobs jobs(folder());
    std::vector<std::pair<std::string, Tensor>> expected;
    for (const auto& [name, function] : cases) {
      SCOPED_TRACE(name);
      const auto model = exported(function);
      for (const std::int64_t batch : {1, 5}) {
        const auto pixels = models::hash_pixels(17, batch, kSide, kSide);
        jobs.add(model, pixels);
        expected.emplace_back(fmt::format("{}, batch of {}", name, batch), function(pixels));
        expect_close(steadyiqa::testing::run_plan(model, pixels).at("y"), expected.back().second,
                     expected.back().first + ", src/inference");
      }
    }
    if (!no_onnxruntime.empty()) {
      GTEST_SKIP() << no_onnxruntime;
    }
    const auto results = jobs.run();
    ASSERT_EQ(results.size(), expected.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      expect_close(results[i].at("y"), expected[i].second, expected[i].first);
    }
  }
};

TEST_F(OnnxOps, LayersGiveTheSame) { expect_same(layer_cases()); }
TEST_F(OnnxOps, FusedLayersGiveTheSame) { expect_same(fused_cases()); }
TEST_F(OnnxOps, ProductsAndReductionsGiveTheSame) { expect_same(product_cases()); }
TEST_F(OnnxOps, ShapesAndOrderGiveTheSame) { expect_same(shape_cases()); }

/// The message of exporting what cannot be.
std::string refusal(const std::function<Tensor(const Tensor&)>& function) {
  return error_message(ErrorKind::kInput, [&] { static_cast<void>(exported(function)); });
}

TEST(OnnxRefusals, OperationWithoutARowIsNamed) {
  EXPECT_THAT(refusal([](const Tensor& x) { return x.cumsum(1); }),
              AllOf(HasSubstr("aten::cumsum"), HasSubstr("no row")));
  EXPECT_THAT(refusal([](const Tensor& x) { return torch::relu(x).fmod_(0.3); }), HasSubstr("aten::fmod_"));
}

TEST(OnnxRefusals, KindsThatTheTableDoesNotSayAreNamed) {
  EXPECT_THAT(refusal([](const Tensor& x) { return torch::dropout(x, 0.5, true); }),
              AllOf(HasSubstr("aten::dropout"), HasSubstr("training mode")));
  EXPECT_THAT(refusal([](const Tensor& x) { return torch::gelu(x, "tanh"); }), HasSubstr("aten::gelu"));
  EXPECT_THAT(refusal([](const Tensor& x) {
                return torch::max_pool2d(x, {3, 3}, {2, 2}, {0, 0}, {1, 1}, true);
              }),
              AllOf(HasSubstr("aten::max_pool2d"), HasSubstr("rounds sizes up")));
  EXPECT_THAT(refusal([](const Tensor& x) { return x.norm(1, {1}, true); }), HasSubstr("aten::norm"));
  EXPECT_THAT(refusal([](const Tensor& x) { return torch::add(x, x, 2); }), HasSubstr("alpha"));
  EXPECT_THAT(
      refusal([](const Tensor& x) { return x.mul(constant([] { return torch::ones({8}, torch::kFloat64); })); }),
      HasSubstr("Double"));
}

TEST(OnnxRefusals, WhatDependsOnTheBatchSizeNeedsAFixedOne) {
  const std::vector<std::function<Tensor(const Tensor&)>> functions = {
      [](const Tensor& x) { return x * static_cast<double>(x.size(0)); },
      [](const Tensor& x) { return x.slice(2, 0, x.size(0)); },
      [](const Tensor& x) { return x + constant([&] {
                                     return torch::ones({x.size(0), 1, 1, 1});
                                   }); },
      [](const Tensor& x) {
        return x.mean({0}).expand({2 * x.size(0), 3, 8, 8});
      },
      [](const Tensor& x) { return x.size(0) == 2 ? torch::relu(x) : torch::sigmoid(x); },
      [](const Tensor& x) { return x.size(0) == 2 ? torch::relu(x) : torch::sqrt(torch::relu(x)); },
  };
  for (const auto& function : functions) {
    EXPECT_THAT(refusal(function), HasSubstr("batch"));
    EXPECT_NE(exported(function, 4), "");
  }
}

}  // namespace
}  // namespace steadyiqa::exporting
