#include "objective/losses.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::objective {
namespace {

using steadyiqa::testing::error_message;

torch::Tensor predictions() { return torch::tensor({61.2, 48.9, 55.1, 30.4, 72.7, 44.0}, torch::kFloat64); }
torch::Tensor labels() { return torch::tensor({58.0, 50.5, 61.3, 28.8, 79.1, 35.2}, torch::kFloat64); }

// 1 - scipy.stats.pearsonr(predictions, labels)[0] of scipy 1.10.1, and with the labels negated.
TEST(PlccLoss, AgreesWithScipy) {
  EXPECT_NEAR(plcc_loss(predictions(), labels()).item<double>(), 0.03814228564486799, 1e-8);
  EXPECT_NEAR(plcc_loss(predictions(), -labels()).item<double>(), 1.9618577143551321, 1e-8);
  EXPECT_NEAR(plcc_loss(predictions() * 0.01 + 3, labels()).item<double>(), 0.03814228564486799, 1e-7);
}

TEST(PlccLoss, ConstantBatchGivesOneAndAFiniteGradient) {
  auto constant = torch::full({4}, 50.0).requires_grad_(true);
  const auto loss = plcc_loss(constant, torch::tensor({10.0F, 20.0F, 30.0F, 40.0F}));
  EXPECT_EQ(loss.item<double>(), 1.0);
  loss.backward();
  EXPECT_TRUE(torch::isfinite(constant.grad()).all().item<bool>());
  EXPECT_EQ(plcc_loss(torch::tensor({10.0F, 20.0F}), torch::full({2}, 5.0F)).item<double>(), 1.0);
}

// numpy: abs(p - m).mean(), ((p - m)**2).mean().
TEST(ScoreLoss, IsMeanAbsoluteOrMeanSquared) {
  EXPECT_NEAR(score_loss(predictions(), labels(), {.loss = LossKind::kL1}).item<double>(), 4.633333333333331, 1e-12);
  EXPECT_NEAR(score_loss(predictions(), labels(), {.loss = LossKind::kMse}).item<double>(), 28.69999999999997, 1e-11);
  EXPECT_NEAR(score_loss(predictions(), labels(), {.loss = LossKind::kL1, .plcc_weight = 10}).item<double>(),
              4.633333333333331 + 0.3814228564486799, 1e-7);
}

TEST(ScoreLoss, OneImageHasNoCorrelationTerm) {
  const auto loss = score_loss(torch::tensor({3.0}), torch::tensor({5.0}), {.loss = LossKind::kL1, .plcc_weight = 10});
  EXPECT_DOUBLE_EQ(loss.item<double>(), 2.0);
}

TEST(ScoreLoss, ShapesThatWouldBroadcastAreRefused) {
  const auto refused = [](const torch::Tensor& p, const torch::Tensor& m) {
    EXPECT_THAT(error_message(ErrorKind::kNumeric, [&] { static_cast<void>(score_loss(p, m, {})); }),
                ::testing::HasSubstr("must both be [N]"));
  };
  refused(torch::zeros({4, 1}), torch::zeros({4}));
  refused(torch::zeros({4}), torch::zeros({4, 1}));
  refused(torch::zeros({4, 1}), torch::zeros({4, 1}));
  refused(torch::zeros({4}), torch::zeros({1}));
  refused(torch::zeros({}), torch::zeros({}));
}

}  // namespace
}  // namespace steadyiqa::objective
