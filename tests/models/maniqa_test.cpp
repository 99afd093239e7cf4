#include "models/maniqa.h"

#include "base/digest.h"
#include "models/attention.h"
#include "models/model_test_support.h"
#include "models/swin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

std::string comma_list(const torch::Tensor& tensor) {
  const auto flat = tensor.to(torch::kInt64).contiguous().view({-1});
  return fmt::format("{}", fmt::join(flat.data_ptr<std::int64_t>(), flat.data_ptr<std::int64_t>() + flat.numel(), ","));
}

// SHA-256 of the names and shapes of models.md section 4.3, written out by a loop in Python; lines as in
// backbones_test.cpp. attn_mask and relative_position_index are buffers.
TEST(Maniqa, HasThePublishedNamesAndShapes) {
  const auto network = make_maniqa(kSwinScale);
  EXPECT_EQ(state_entries(*network).size(), 316U);
  EXPECT_EQ(sha256_hex(name_and_shape_lines(*network, true)),
            "8e803f3b201db48ba1790b41f0e85b5ddc281467f8aa7efb0cfe277499c52191");
  EXPECT_EQ(network->buffers().size(), 12U);
}

// Seconds each, as the network is: 136 million parameters and 138 billion multiply-adds for an image. The values are
// the authors' code's (models.md section 7).
TEST(Maniqa, GivesTheAuthorsScoreWithScale08AndAnInputGradient) {
  const auto network = hash_network("maniqa", "", 0.8);
  const auto x = hash_input(9999, 1, 224, 224);
  const auto result = input_gradient([&](const torch::Tensor& t) { return network->forward(t); }, x);
  expect_values(result.scores, {7.8750930}, 1e-3);
  EXPECT_TRUE(torch::isfinite(result.gradient).all().item<bool>());
  EXPECT_GT(result.gradient.abs().max().item<double>(), 0);
}

// The published value is that of the image alone; here it is the first of two.
TEST(Maniqa, GivesTheAuthorsScoreWithScale013AlsoInABatch) {
  torch::NoGradGuard no_grad;
  const auto scores = hash_network("maniqa", "", 0.13)->forward(hash_input(9999, 2, 224, 224));
  expect_values(scores.slice(0, 0, 1), {1.9913790}, 1e-3);
  EXPECT_NE(scores[0].item<double>(), scores[1].item<double>());
}

TEST(Maniqa, RefusesAnotherInputSize) {
  const auto network = make_maniqa(kSwinScale);
  EXPECT_THROW(network->forward(torch::zeros({1, 3, 256, 224})), c10::Error);
}

// By Python's meshgrid of a 4 x 4 window, differences + 3, y * 7 + x; the digest is of the 256 numbers joined by
// commas.
TEST(SwinStage, RelativePositionsAreThoseOfTheAuthors) {
  const auto index = relative_position_index(4);
  EXPECT_EQ(comma_list(index[0]), "24,23,22,21,17,16,15,14,10,9,8,7,3,2,1,0");
  EXPECT_EQ(sha256_hex(comma_list(index)), "9aa2126d9dab7413b39ea9f5d65bce2ebc694cb09346b88aff2da04ec4f03baa");
}

// In Python: a 28 x 28 map labelled by the slices (0,-4), (-4,-2), (-2,None) of both axes, cut into windows, -100 where
// two labels differ; the digest is of all 12,544 numbers joined by commas.
TEST(SwinStage, MasksWhatTheShiftBroughtTogether) {
  const auto mask = shifted_window_mask(28, 4, 2);
  std::vector<std::int64_t> masked;
  for (std::int64_t i = 0; i < 49; ++i) {
    if (mask[i].ne(0).any().item<bool>()) {
      masked.push_back(i);
    }
  }
  EXPECT_THAT(masked, ::testing::ElementsAre(6, 13, 20, 27, 34, 41, 42, 43, 44, 45, 46, 47, 48));
  EXPECT_EQ(sha256_hex(comma_list(mask)), "9a33dc44444d6a389f746a71372ad83a4b7f8b5b565a7c2bff169d56dd6ae915");
}

// The stage of 8 channels in Python after Liu et al.'s formulas (window_partition, roll, bias table, mask), hash
// weights, eval mode, float64: y[1,3,27,26], y[0,7,0,0], mean |y|.
TEST(SwinStage, GivesWhatPythonGives) {
  torch::NoGradGuard no_grad;
  // The hash input of seed 4, [2,8,28,28]: 12,544 values, taken from a longer run of them.
  const auto input = hash_input(4, 1, 8, 523).flatten().slice(0, 0, 12544).view({2, 8, 28, 28});
  const auto values = [&input](double scale) {
    SwinStage stage(8, scale);
    fill_hash_weights(*stage);
    stage->eval();
    const auto y = stage(input);
    return torch::stack({y.index({1, 3, 27, 26}), y.index({0, 7, 0, 0}), y.abs().mean()});
  };
  expect_values(values(0.8), {0.020100848662359283, 0.7293135024092711, 1.8077584478328514}, 2e-4);
  expect_values(values(0.13), {-1.3373884680589345, 0.5474644691506618, 1.010901843544813}, 2e-5);
}

// In Python: x + (softmax(q k^T / sqrt(5)) v).transpose(1, 2).reshape(1, 3, 5) on x [1,3,5], the hash input of seed 3
// with hash weights, float64. A transposition back instead of the scramble would need a square.
TEST(ChannelAttention, ScramblesItsAnswerAsTheAuthorsDo) {
  torch::NoGradGuard no_grad;
  ChannelAttention block(5);
  fill_hash_weights(*block);
  block->eval();
  const auto x = hash_input(3, 1, 1, 5).view({1, 3, 5});
  expect_values(block(x),
                {0.444927593, 3.176656321, 2.346110022, 0.637496586, 0.521682364, 1.817780734, 0.520578686, 1.199200961,
                 -2.25268248, -0.451006029, 0.598845708, 0.837611242, -1.273883666, 0.60165945, -0.550946863},
                1e-5);
}

// Of n values each is dropped with p = 0.1; 5 standard deviations of the rate are 0.012 here (n = 15,680).
TEST(ChannelAttention, DropsATenthInTrainingFromTheSeededGenerator) {
  torch::NoGradGuard no_grad;
  ChannelAttention block(784);
  const auto x = torch::ones({1, 20, 784});
  const auto answer = [&](std::uint64_t seed) {
    torch::manual_seed(seed);
    return block(x) - x;
  };
  const auto first = answer(1);
  EXPECT_NEAR(first.eq(0).to(torch::kFloat64).mean().item<double>(), 0.1, 0.012);
  EXPECT_TRUE(torch::equal(first, answer(1)));
  EXPECT_FALSE(torch::equal(first, answer(2)));
}

TEST(SwinStage, TrainingDrawsFromTheSeededGeneratorAndKeepsTheInputGradient) {
  SwinStage stage(8, kSwinScale);
  fill_hash_weights(*stage);
  const auto x = torch::ones({3, 8, 28, 28}).requires_grad_(true);
  const auto answer = [&](std::uint64_t seed) {
    torch::manual_seed(seed);
    return stage(x);
  };
  const auto first = answer(1);
  EXPECT_TRUE(torch::equal(first, answer(1)));
  EXPECT_FALSE(torch::equal(first, answer(2)));
  const auto gradient = torch::autograd::grad({first.sum()}, {x})[0];
  EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>());
  EXPECT_GT(gradient.abs().max().item<double>(), 0);
}

TEST(Maniqa, StartsAsThePaperDoes) {
  const auto network = make_maniqa(kSwinScale);
  initialise_maniqa(*network, 3);
  const auto state = state_copy(*network);
  const auto deviation = [&state](const char* name) { return state.at(name).std().item<double>(); };
  for (const char* name : {"vit.pos_embed", "vit.blocks.3.attn.qkv.weight"}) {
    EXPECT_NEAR(deviation(name), 0.02, 0.0003) << name;  // n > 600,000: 4 standard errors are 0.00008
  }
  // 196 values: 4 standard errors are 0.004.
  EXPECT_NEAR(deviation("swintransformer1.layers.1.blocks.1.attn.relative_position_bias_table"), 0.02, 0.004);
  EXPECT_NEAR(deviation("tablock1.0.c_q.weight"), 1.0 / std::sqrt(784.0 * 3), 1e-4);  // uniform
  EXPECT_EQ(state.at("vit.blocks.3.attn.qkv.bias").abs().max().item<double>(), 0);
  EXPECT_GT(state.at("tablock1.0.c_q.bias").abs().max().item<double>(), 0);
  EXPECT_TRUE(torch::equal(state.at("vit.norm.weight"), torch::ones({768})));
}

}  // namespace
}  // namespace steadyiqa::models
