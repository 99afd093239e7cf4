#include "objective/regulariser.h"

#include "objective/tiny_network.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <stdexcept>

namespace steadyiqa::objective {
namespace {

constexpr std::array<double, 3> kStd = {0.229, 0.224, 0.225};
constexpr std::array kGradients = {NormGradient::kFiniteDifference, NormGradient::kAlternating, NormGradient::kCentral,
                                   NormGradient::kExact};

NetworkFn function_of(TinyNetwork& network) {
  return [&network](const torch::Tensor& x) { return network.forward(x); };
}

RegulariserOptions nt(NormGradient gradient) {
  RegulariserOptions options;
  options.regulariser = RegulariserKind::kNt;
  options.gradient = gradient;
  return options;
}

NormEstimate estimate(const NetworkFn& network, const torch::Tensor& x, const RegulariserOptions& options) {
  return gradient_norm_estimate(network, x, models::input_gradient(network, x, /*keep_graph=*/true), kStd, options);
}

/// The penalty with the sign's direction held at that of `gradient`, as the estimates define it.
torch::Tensor penalty_along(TinyNetwork& network, const torch::Tensor& x, const torch::Tensor& gradient,
                            const RegulariserOptions& options) {
  const models::InputGradient at_x{network.forward(x), gradient};
  return penalty_of(gradient_norm_estimate(function_of(network), x, at_x, kStd, options), options);
}

/// Checks the penalty's gradient by every parameter tensor against a central difference along a direction of +-1.
void expect_parameter_gradients_match(TinyNetwork& network, const RegulariserOptions& options) {
  constexpr double kStep = 1e-5;
  const auto x = tiny_input();
  const auto gradient = models::input_gradient(function_of(network), x).gradient;
  const auto analytic = parameter_gradients(penalty_along(network, x, gradient, options), network);
  torch::NoGradGuard no_grad;
  auto parameters = network.parameters();
  std::vector<double> along(parameters.size());
  std::vector<double> numeric(parameters.size());
  double largest = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto kept = parameters[i].detach().clone();
    const auto v =
        models::hash_input(static_cast<std::uint32_t>(i), 1, kept.numel(), 1).flatten().slice(0, 0, kept.numel());
    const auto direction = v.sign().to(torch::kFloat64).view(kept.sizes());
    const auto moved = [&](double step) {
      parameters[i].copy_(kept + step * direction);
      return penalty_along(network, x, gradient, options).item<double>();
    };
    numeric[i] = (moved(kStep) - moved(-kStep)) / (2 * kStep);
    parameters[i].copy_(kept);
    along[i] = (analytic[i] * direction).sum().item<double>();
    largest = std::max(largest, std::abs(numeric[i]));
  }
  ASSERT_GT(largest, 0.0);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    // The second term is for tensors the penalty hardly depends on (a bias before BatchNorm).
    EXPECT_NEAR(along[i], numeric[i], 1e-5 * std::abs(numeric[i]) + 1e-7 * largest)
        << network.named_parameters()[i].key();
  }
}

TEST(Regulariser, ParameterGradientsAgreeWithNumericalDifferentiation) {
  const auto network = tiny_network();
  for (const bool training : {false, true}) {
    network->train(training);
    for (const auto gradient : kGradients) {
      if (training && gradient == NormGradient::kExact) {
        continue;  // libtorch is wrong there; training_objective refuses it
      }
      for (const auto penalty : {Penalty::kSquared, Penalty::kL1}) {
        for (const auto relative_to : {RelativeTo::kAbsolute, RelativeTo::kRelative}) {
          for (const auto unit : {StepUnit::kNormalised, StepUnit::kPixel}) {
            SCOPED_TRACE(fmt::format("training {} gradient {} penalty {} relative {} unit {}", training,
                                     static_cast<int>(gradient), static_cast<int>(penalty),
                                     static_cast<int>(relative_to), static_cast<int>(unit)));
            auto options = nt(gradient);
            options.penalty = penalty;
            options.relative_to = relative_to;
            options.unit = unit;
            expect_parameter_gradients_match(*network, options);
          }
        }
      }
    }
  }
}

// The value is right in training mode, too: the derivative of each score along v, batch statistics moving along.
TEST(Regulariser, ExactFormValueIsRightWithBatchStatistics) {
  const auto network = tiny_network();
  network->train();
  const auto x = tiny_input();
  auto central = nt(NormGradient::kCentral);
  central.step = 1e-5;
  EXPECT_LT(relative_distance(estimate(function_of(*network), x, nt(NormGradient::kExact)).d,
                              estimate(function_of(*network), x, central).d),
            1e-7);
}

/// ||grad_x f||_1 of each image with a graph to the parameters, by double backward.
torch::Tensor norm_by_double_backward(TinyNetwork& network, const torch::Tensor& x, StepUnit unit) {
  auto leaf = x.detach().requires_grad_(true);
  const auto gradient = torch::autograd::grad({network.forward(leaf).sum()}, {leaf}, /*grad_outputs=*/{},
                                              /*retain_graph=*/true, /*create_graph=*/true)[0];
  const auto std = torch::tensor({kStd[0], kStd[1], kStd[2]}, torch::kFloat64).view({1, 3, 1, 1});
  return (unit == StepUnit::kPixel ? gradient / std : gradient).abs().sum({1, 2, 3});
}

TEST(Regulariser, ExactFormEqualsDoubleBackward) {
  const auto network = tiny_network();
  const auto x = tiny_input();
  for (const auto unit : {StepUnit::kNormalised, StepUnit::kPixel}) {
    for (const auto penalty : {Penalty::kSquared, Penalty::kL1}) {
      auto options = nt(NormGradient::kExact);
      options.unit = unit;
      options.penalty = penalty;
      const auto norm = norm_by_double_backward(*network, x, unit);
      const auto exact = estimate(function_of(*network), x, options);
      EXPECT_LT(relative_distance(exact.d, norm), 1e-12);
      EXPECT_LT(relative_distance(exact.clean, network->forward(x)), 1e-14);
      const auto expected = penalty == Penalty::kSquared ? norm.square().mean() / 2 : norm.mean();
      EXPECT_LT(
          relative_distance(flat_gradient(penalty_of(exact, options), *network), flat_gradient(expected, *network)),
          1e-10);
    }
  }
}

TEST(Regulariser, FiniteDifferencesApproachTheExactNorm) {
  const auto network = tiny_network();
  const auto x = tiny_input();
  const auto exact = estimate(function_of(*network), x, nt(NormGradient::kExact)).d;
  const auto error_at = [&](NormGradient gradient, double step) {
    auto options = nt(gradient);
    options.step = step;
    return relative_distance(estimate(function_of(*network), x, options).d, exact);
  };
  // One-sided: error of order h; central: of order h^2.
  const double one_sided = error_at(NormGradient::kFiniteDifference, 1e-3);
  EXPECT_NEAR(error_at(NormGradient::kFiniteDifference, 1e-4) / one_sided, 0.1, 0.01);
  EXPECT_LT(error_at(NormGradient::kFiniteDifference, 1e-6), 1e-4);
  const double central = error_at(NormGradient::kCentral, 1e-2);
  EXPECT_NEAR(error_at(NormGradient::kCentral, 1e-3) / central, 0.01, 0.003);
  EXPECT_LT(error_at(NormGradient::kCentral, 1e-4), 1e-7);
}

// A score that has stopped to rise and falls as before: |D| of an upward difference is next to nothing.
TEST(Regulariser, AlternatingSeesASlopeThatUpwardDifferencesMiss) {
  const auto w = tiny_input(1) + 3.0;  // positive, so that x = -1e-9 lies just below the bend
  const NetworkFn bent = [&](const torch::Tensor& x) { return -torch::relu(-(w * x).sum({1, 2, 3})); };
  const auto x = torch::full({4, 3, 12, 14}, -1e-9, torch::kFloat64);
  const double norm = w.sum().item<double>();
  const auto upward = estimate(bent, x, nt(NormGradient::kFiniteDifference)).d;
  const auto alternating = estimate(bent, x, nt(NormGradient::kAlternating)).d;
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_LT(std::abs(upward[i].item<double>()), 1e-6 * norm);
    EXPECT_NEAR(alternating[i].item<double>(), i % 2 == 0 ? upward[i].item<double>() : norm, 1e-9 * norm);
  }
}

TEST(Regulariser, EstimateIsPerImage) {
  const auto network = tiny_network();
  for (const auto gradient : kGradients) {
    const auto three = estimate(function_of(*network), tiny_input(3), nt(gradient));
    const auto one = estimate(function_of(*network), tiny_input(3).slice(0, 2, 3), nt(gradient));
    ASSERT_EQ(three.d.sizes(), (std::vector<std::int64_t>{3}));
    ASSERT_EQ(one.d.sizes(), (std::vector<std::int64_t>{1}));
    EXPECT_NEAR(three.d[2].item<double>(), one.d[0].item<double>(), 1e-9 * std::abs(one.d[0].item<double>()));
    EXPECT_TRUE(three.d.requires_grad());
    EXPECT_TRUE(three.clean.requires_grad());
  }
}

TEST(Regulariser, ExactFormWorksAgainAfterANetworkThrew) {
  const auto network = tiny_network();
  const auto x = tiny_input();
  const auto at_x = models::input_gradient(function_of(*network), x);
  const NetworkFn broken = [](const torch::Tensor&) -> torch::Tensor { throw std::runtime_error("broken"); };
  EXPECT_THROW(static_cast<void>(gradient_norm_estimate(broken, x, at_x, kStd, nt(NormGradient::kExact))),
               std::runtime_error);
  EXPECT_EQ(estimate(function_of(*network), x, nt(NormGradient::kExact)).d.numel(), 3);
}

TEST(Regulariser, PenaltiesAreThoseOfPaperAndCode) {
  const NormEstimate values{torch::tensor({3.0, -4.0}, torch::kFloat64), torch::tensor({1.0, 5.0}, torch::kFloat64)};
  RegulariserOptions options;
  options.penalty = Penalty::kSquared;
  EXPECT_DOUBLE_EQ(penalty_of(values, options).item<double>(), 6.25);  // (9 + 16) / 2 / 2
  options.penalty = Penalty::kL1;
  EXPECT_DOUBLE_EQ(penalty_of(values, options).item<double>(), 3.5);
  options.relative_to = RelativeTo::kRelative;  // the scores' population standard deviation is 2
  EXPECT_NEAR(penalty_of(values, options).item<double>(), 1.75, 1e-5);
  const NormEstimate constant{values.d, torch::full({2}, 7.0, torch::kFloat64)};
  EXPECT_TRUE(std::isfinite(penalty_of(constant, options).item<double>()));
}

TEST(Regulariser, RelativePenaltyIgnoresTheScoreScaleAbsoluteDoesNot) {
  const auto network = tiny_network();
  const auto x = tiny_input();
  const NetworkFn scaled = [&](const torch::Tensor& input) { return 10.0 * network->forward(input); };
  for (const auto gradient : kGradients) {
    for (const auto penalty : {Penalty::kSquared, Penalty::kL1}) {
      auto options = nt(gradient);
      options.penalty = penalty;
      const auto ratio = [&] {
        return (penalty_of(estimate(scaled, x, options), options) /
                penalty_of(estimate(function_of(*network), x, options), options))
            .item<double>();
      };
      EXPECT_NEAR(ratio(), penalty == Penalty::kSquared ? 100.0 : 10.0, 1e-6);
      options.relative_to = RelativeTo::kRelative;
      EXPECT_NEAR(ratio(), 1.0, 1e-4);
    }
  }
}

// Scores 1, 5 and labels 20, 50: standard deviations 2 and 15. D = 3, -4, so mean D^2 / 2 = 6.25.
TEST(Regulariser, AnAbsolutePenaltyInPointsIsThatOfTheCalibratedScore) {
  const NormEstimate values{torch::tensor({3.0, -4.0}, torch::kFloat64), torch::tensor({1.0, 5.0}, torch::kFloat64)};
  LabelContext labels{.points_per_label = 4, .mos = torch::tensor({20.0, 50.0}, torch::kFloat64)};
  RegulariserOptions options;
  EXPECT_DOUBLE_EQ(penalty_of(values, options, labels).item<double>(), 6.25 * 16);
  options.score_unit = ScoreUnit::kLabel;
  EXPECT_DOUBLE_EQ(penalty_of(values, options, labels).item<double>(), 6.25);
  labels.scale_free = true;
  EXPECT_DOUBLE_EQ(penalty_of(values, options, labels).item<double>(), 6.25);
  options.score_unit = ScoreUnit::kPoints;
  EXPECT_NEAR(penalty_of(values, options, labels).item<double>(), 6.25 * 16 * 7.5 * 7.5, 0.01);  // 15 / 2 = 7.5
}

TEST(Regulariser, WithAScaleFreeLossAPenaltyInPointsIgnoresTheScoreScale) {
  const auto network = tiny_network();
  const auto x = tiny_input();
  const NetworkFn scaled = [&](const torch::Tensor& input) { return 10.0 * network->forward(input); };
  const LabelContext labels{
      .points_per_label = 4, .scale_free = true, .mos = torch::tensor({20.0, 50.0, 70.0}, torch::kFloat64)};
  for (const auto gradient : kGradients) {
    const auto options = nt(gradient);
    EXPECT_NEAR((penalty_of(estimate(scaled, x, options), options, labels) /
                 penalty_of(estimate(function_of(*network), x, options), options, labels))
                    .item<double>(),
                1.0, 1e-4);
  }
}

TEST(LambdaAt, GrowsLinearlyOverTheRamp) {
  RegulariserOptions options;
  options.lambda = 0.5;
  EXPECT_EQ(lambda_at(options, 3.0), 0.0);  // no regulariser
  options.regulariser = RegulariserKind::kNt;
  EXPECT_EQ(lambda_at(options, 0.0), 0.5);  // no ramp
  options.ramp_epochs = 4;
  EXPECT_EQ(lambda_at(options, 0.0), 0.0);
  EXPECT_DOUBLE_EQ(lambda_at(options, 0.5), 0.0625);
  EXPECT_DOUBLE_EQ(lambda_at(options, 3.0), 0.375);
  EXPECT_DOUBLE_EQ(lambda_at(options, 4.0), 0.5);
  EXPECT_DOUBLE_EQ(lambda_at(options, 40.0), 0.5);
}

}  // namespace
}  // namespace steadyiqa::objective
