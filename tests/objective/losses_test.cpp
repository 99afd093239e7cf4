#include "objective/losses.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

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

torch::Tensor four_scores() { return torch::tensor({.1, .4, .2, .9}, torch::kFloat64); }
torch::Tensor four_labels() { return torch::tensor({10.0, 20.0, 35.0, 50.0}, torch::kFloat64); }

// Values of the LinearityIQA authors' published code (torch 1.13.1) for these scores and labels; theirs is float32.
constexpr double kFloat32 = 1e-7;

TEST(NormInNorm, AgreesWithTheAuthorsCode) {
  struct Case {
    double p, q, alpha_rho, expected;
  };
  for (const auto& [p, q, alpha_rho, expected] :
       {Case{1, 2, 0, .26531970}, Case{2, 2, 0, .09860609}, Case{1, 1, 0, .31363636}, Case{2, 1, 0, .03456611},
        Case{1, 2, .1, .26468050}}) {
    const LossOptions options{.loss = LossKind::kNormInNorm, .p = p, .q = q, .alpha_rho = alpha_rho};
    EXPECT_NEAR(score_loss(four_scores(), four_labels(), options).item<double>(), expected, kFloat32)
        << "p " << p << " q " << q << " alpha-rho " << alpha_rho;
  }
}

TEST(NormInNorm, WithTwoTwoNormsIsHalfOfOneMinusPlcc) {
  const LossOptions options{.loss = LossKind::kNormInNorm, .p = 2, .q = 2};
  EXPECT_NEAR(score_loss(predictions(), labels(), options).item<double>(),
              plcc_loss(predictions(), labels()).item<double>() / 2, 1e-8);
}

TEST(NormInNorm, IsZeroForAnAffineImageOfTheLabelsAndOneAtMost) {
  const LossOptions options{.loss = LossKind::kNormInNorm};
  EXPECT_NEAR(score_loss(labels() * 3 - 7, labels(), options).item<double>(), 0.0, 1e-6);
  const auto two = torch::tensor({1.0, 2.0}, torch::kFloat64);
  EXPECT_NEAR(score_loss(-two, two, options).item<double>(), 1.0, 1e-6);  // the worst there is, for p = 1, q = 2
}

TEST(NormInNorm, ConstantScoresAndSingleImagesGiveFiniteGradients) {
  for (const double p : {0.5, 1.0, 2.0}) {
    const LossOptions options{.loss = LossKind::kNormInNorm, .p = p, .alpha_rho = 0.1};
    auto constant = torch::full({4}, 50.0).requires_grad_(true);
    score_loss(constant, torch::tensor({10.0F, 20.0F, 30.0F, 40.0F}), options).backward();
    EXPECT_TRUE(torch::isfinite(constant.grad()).all().item<bool>()) << p;
    auto one = torch::tensor({3.0F}).requires_grad_(true);
    const auto loss = score_loss(one, torch::tensor({5.0F}), options);
    EXPECT_EQ(loss.item<double>(), 0.0);
    loss.backward();
    EXPECT_EQ(one.grad().item<double>(), 0.0);
  }
}

// The authors' loss type "linearity" on the same values.
TEST(Linearity, AgreesWithTheAuthorsCode) {
  LossOptions options{.loss = LossKind::kLinearity};
  EXPECT_NEAR(score_loss(four_scores(), four_labels(), options).item<double>(), .09860609, kFloat32);
  options.alpha_rho = 1.0;
  EXPECT_NEAR(score_loss(four_scores(), four_labels(), options).item<double>(), .09374450, kFloat32);
}

TEST(Monotonicity, AgreesWithTheAuthorsCode) {
  EXPECT_NEAR(monotonicity_loss(four_scores(), four_labels()).item<double>(), .02777778, kFloat32);
}

TEST(Monotonicity, IsAddedByItsWeight) {
  const LossOptions without{.loss = LossKind::kL1};
  const LossOptions with{.loss = LossKind::kL1, .monotonicity_weight = 2.0};
  EXPECT_NEAR((score_loss(four_scores(), four_labels(), with) - score_loss(four_scores(), four_labels(), without))
                  .item<double>(),
              2 * .02777778, kFloat32);
}

TEST(ScaleFree, LossesDoNotSeeScaleAndOffset) {
  for (const auto kind : {LossKind::kL1, LossKind::kMse, LossKind::kNormInNorm, LossKind::kLinearity}) {
    const LossOptions options{.loss = kind};
    const auto as_they_are = score_loss(predictions(), labels(), options).item<double>();
    const auto scaled = score_loss(predictions() * 0.1 + 3, labels(), options).item<double>();
    EXPECT_EQ(std::abs(as_they_are - scaled) < 1e-6, scale_free(kind)) << static_cast<int>(kind);
  }
}

TEST(OutputsLoss, WeighsTheOutputsBesideTheScore) {
  const LossOptions options{.loss = LossKind::kL1, .side_weight = 0.25};
  const auto m = labels();
  const auto outputs = torch::stack({m + 4, m - 2, m + 1}, 1);  // the last column is the score
  EXPECT_NEAR(outputs_loss(outputs, m, options).item<double>(), 1 + 0.25 * (4 + 2), 1e-12);
  EXPECT_NEAR(outputs_loss((m + 3).unsqueeze(1), m, options).item<double>(), 3.0, 1e-12);
}

}  // namespace
}  // namespace steadyiqa::objective
