#include "base/error.h"
#include "base/expect_error.h"
#include "models/catalogue.h"
#include "objective/regulariser.h"
#include "objective/tiny_network.h"
#include "pretend_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <fstream>

namespace steadyiqa::objective {
namespace {

using steadyiqa::testing::error_message;
using ::testing::HasSubstr;

constexpr std::array<double, 3> kStd = {0.229, 0.224, 0.225};
constexpr std::array kGradients = {NormGradient::kFiniteDifference, NormGradient::kAlternating, NormGradient::kCentral,
                                   NormGradient::kExact};
constexpr double kLambda = 0.01;

torch::Tensor tiny_labels() { return torch::tensor({3.0, -2.0, 5.0}, torch::kFloat64); }

RegulariserOptions nt(NormGradient gradient, CleanPass clean_pass, BatchNormMode batch_norm = BatchNormMode::kFrozen) {
  RegulariserOptions options;
  options.regulariser = RegulariserKind::kNt;
  options.gradient = gradient;
  options.clean_pass = clean_pass;
  options.batch_norm = batch_norm;
  return options;
}

Objective objective_of(TinyNetwork& network, const RegulariserOptions& options, double lambda = kLambda) {
  return training_objective(network, tiny_input(), tiny_labels(), {{}, options, kStd}, lambda);
}

std::int64_t batches_seen(const TinyNetwork& network) {
  return network.named_buffers()["norm.num_batches_tracked"].item<std::int64_t>();
}

TEST(TrainingObjective, TotalIsLossPlusWeightedPenalty) {
  const auto network = tiny_network();
  const auto x = tiny_input();
  const auto scores = network->forward(x).detach();
  for (const auto gradient : kGradients) {
    const auto options = nt(gradient, CleanPass::kShared);
    const auto result = objective_of(*network, options);
    EXPECT_EQ(result.total.dim(), 0);
    EXPECT_NEAR(result.loss, (scores - tiny_labels()).abs().mean().item<double>(), 1e-12);
    EXPECT_NEAR(result.total.item<double>(), result.loss + kLambda * result.penalty, 1e-12);
    EXPECT_TRUE(torch::allclose(result.predictions, scores, 1e-12));
    EXPECT_FALSE(result.predictions.requires_grad());
    const NetworkFn forward = [&](const torch::Tensor& input) { return network->forward(input); };
    const auto estimate =
        gradient_norm_estimate(forward, x, models::input_gradient(forward, x, /*keep_graph=*/true), kStd, options);
    EXPECT_NEAR(result.penalty, penalty_of(estimate, options).item<double>(), 1e-10 * result.penalty);
    EXPECT_NEAR(result.mean_gradient_norm, estimate.d.abs().mean().item<double>(), 1e-10 * result.mean_gradient_norm);
  }
}

TEST(TrainingObjective, WithoutWeightIsTheLossAlone) {
  const auto network = tiny_network();
  network->train();
  const auto result = objective_of(*network, nt(NormGradient::kExact, CleanPass::kShared), 0.0);
  EXPECT_EQ(result.total.item<double>(), result.loss);
  EXPECT_EQ(result.penalty, 0.0);
  EXPECT_EQ(result.mean_gradient_norm, 0.0);
  EXPECT_EQ(batches_seen(*network), 1);
}

TEST(TrainingObjective, SharedCleanPassGivesTheSeparateOnesGradients) {
  for (const bool training : {false, true}) {  // eval mode: BatchNorm frozen; training: batch statistics in both
    for (const auto gradient : kGradients) {
      if (training && gradient == NormGradient::kExact) {
        continue;  // refused, see below
      }
      SCOPED_TRACE(fmt::format("training {} gradient {}", training, static_cast<int>(gradient)));
      const auto network = tiny_network();
      network->train(training);
      const auto mode = training ? BatchNormMode::kTrain : BatchNormMode::kFrozen;
      const auto shared = objective_of(*network, nt(gradient, CleanPass::kShared, mode));
      const auto separate = objective_of(*network, nt(gradient, CleanPass::kSeparate, mode));
      EXPECT_NEAR(shared.total.item<double>(), separate.total.item<double>(), 1e-12 * separate.total.item<double>());
      EXPECT_LT(relative_distance(flat_gradient(shared.total, *network), flat_gradient(separate.total, *network)),
                1e-11);
    }
  }
}

TEST(TrainingObjective, OnAnotherDeviceGivesTheProcessorsGradients) {
  const auto device = testing::pretend_device();
  for (const bool training : {false, true}) {
    for (const auto gradient : kGradients) {
      for (const auto clean_pass : {CleanPass::kShared, CleanPass::kSeparate, CleanPass::kReused}) {
        if ((training || gradient == NormGradient::kExact) && clean_pass == CleanPass::kReused) {
          continue;  // refused, see below
        }
        if (training && gradient == NormGradient::kExact) {
          continue;
        }
        SCOPED_TRACE(fmt::format("training {} gradient {} clean pass {}", training, static_cast<int>(gradient),
                                 static_cast<int>(clean_pass)));
        auto options = nt(gradient, clean_pass, training ? BatchNormMode::kTrain : BatchNormMode::kFrozen);
        options.unit = StepUnit::kPixel;
        const auto objective = [&](const torch::Device& where) {
          const auto network = tiny_network();
          network->to(where);
          network->train(training);
          const auto result = training_objective(*network, tiny_input().to(where), tiny_labels().to(where),
                                                 {{}, options, kStd}, kLambda);
          return flat_gradient(result.total, *network).cpu();
        };
        EXPECT_LT(relative_distance(objective(device), objective(torch::kCPU)), 1e-11);
      }
    }
  }
}

/// The gradient of the objective with respect to all of a network's parameters, float64, BatchNorm in eval mode.
torch::Tensor gradient_with(const std::string& model, const std::string& backbone, NormGradient gradient,
                            CleanPass clean_pass) {
  const auto network = models::make_network(model, backbone);
  models::fill_hash_weights(*network);
  network->to(torch::kFloat64);
  network->eval();
  const auto side = models::find_model(model).crop;
  const auto x = models::hash_input(5, 2, side, side).to(torch::kFloat64);
  const auto labels = torch::tensor({3.0, -2.0}, torch::kFloat64);
  return flat_gradient(training_objective(*network, x, labels, {{}, nt(gradient, clean_pass), kStd}, kLambda).total,
                       *network);
}

TEST(TrainingObjective, ReusedLayerGradientsGiveTheSharedPassesGradients) {
  for (const auto& [model, backbone] : {std::pair{"hyperiqa", "mobilenet_v2"}, {"compact", ""}}) {
    const auto gradient = std::string(model) == "compact" ? NormGradient::kCentral : NormGradient::kAlternating;
    const auto shared = gradient_with(model, backbone, gradient, CleanPass::kShared);
    EXPECT_LT(relative_distance(gradient_with(model, backbone, gradient, CleanPass::kReused), shared), 1e-10) << model;
  }
  for (const auto gradient : {NormGradient::kFiniteDifference, NormGradient::kAlternating, NormGradient::kCentral}) {
    const auto network = tiny_network();  // its BatchNorm is not folded
    const auto shared = objective_of(*network, nt(gradient, CleanPass::kShared));
    const auto reused = objective_of(*network, nt(gradient, CleanPass::kReused));
    EXPECT_EQ(reused.total.item<double>(), shared.total.item<double>());
    EXPECT_LT(relative_distance(flat_gradient(reused.total, *network), flat_gradient(shared.total, *network)), 1e-11);
  }
}

TEST(TrainingObjective, LayerGradientsAreNotReusedWhereImagesOrOutputsAreCoupled) {
  const auto message = [](models::Network& network, const RegulariserOptions& options) {
    return error_message(ErrorKind::kUsage, [&] {
      static_cast<void>(training_objective(network, models::hash_input(5, 2, 64, 64), torch::tensor({3.0F, -2.0F}),
                                           {{}, options, kStd}, kLambda));
    });
  };
  const auto network = models::make_network("compact", "");
  network->train();
  EXPECT_THAT(message(*network, nt(NormGradient::kAlternating, CleanPass::kReused, BatchNormMode::kTrain)),
              HasSubstr("batch-norm = frozen"));
  EXPECT_THAT(message(*network, nt(NormGradient::kExact, CleanPass::kReused)), HasSubstr("gradient = exact"));
  const auto three = models::make_network("linearityiqa", "resnet18");
  EXPECT_THAT(message(*three, nt(NormGradient::kAlternating, CleanPass::kReused)), HasSubstr("has 3"));
}

TEST(TrainingObjective, ForwardPassesAreTwoSharedThreeSeparate) {
  const auto passes = [](CleanPass clean_pass) {
    const auto network = tiny_network();
    network->train();
    objective_of(*network, nt(NormGradient::kFiniteDifference, clean_pass, BatchNormMode::kTrain));
    return batches_seen(*network);
  };
  EXPECT_EQ(passes(CleanPass::kShared), 2);
  EXPECT_EQ(passes(CleanPass::kSeparate), 3);  // as the authors' code
}

/// Counts how often a gradient passes it.
class Counted : public torch::autograd::Function<Counted> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x, int* count) {
    context->saved_data["count"] = reinterpret_cast<std::int64_t>(count);
    return x.clone();
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& of_y) {
    ++*reinterpret_cast<int*>(context->saved_data["count"].toInt());
    return {of_y.front(), {}};
  }
};

class CountingNetwork : public TinyNetwork {
 public:
  torch::Tensor forward(const torch::Tensor& x) override { return TinyNetwork::forward(Counted::apply(x, &images_)); }
  int images_ = 0;  ///< gradients that were taken of them
};

TEST(ParameterGradients, AreTakenOfTheParametersAndNotOfTheImages) {
  const auto network = std::make_shared<CountingNetwork>();
  models::fill_hash_weights(*network);
  network->to(torch::kFloat64);
  const auto result =
      objective_of(*network, nt(NormGradient::kFiniteDifference, CleanPass::kShared, BatchNormMode::kTrain));
  EXPECT_EQ(network->images_, 1);  // the input gradient's
  const auto expected = parameter_gradients(result.total, *network);
  add_parameter_gradients(result, *network);
  EXPECT_EQ(network->images_, 1);
  const auto parameters = network->parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_TRUE(torch::equal(parameters[i].grad(), expected[i])) << i;
  }
}

TEST(TrainingObjective, FrozenRegulariserUpdatesRunningStatisticsOnce) {
  for (const auto gradient : kGradients) {
    for (const auto clean_pass : {CleanPass::kShared, CleanPass::kSeparate}) {
      const auto plain = tiny_network();
      plain->train();
      plain->forward(tiny_input());
      const auto network = tiny_network();
      network->train();
      const auto result = objective_of(*network, nt(gradient, clean_pass));
      result.total.backward();
      EXPECT_EQ(batches_seen(*network), 1);
      for (const char* name : {"norm.running_mean", "norm.running_var"}) {
        EXPECT_TRUE(torch::equal(network->named_buffers()[name], plain->named_buffers()[name])) << name;
      }
      EXPECT_TRUE(models::batch_norm_training(*network));
    }
  }
}

TEST(TrainingObjective, RestoresBatchNormAfterAnError) {
  const auto network = tiny_network();
  network->train();
  EXPECT_THROW(static_cast<void>(training_objective(*network, tiny_input(), torch::zeros({3, 1}, torch::kFloat64),
                                                    {{}, nt(NormGradient::kExact, CleanPass::kShared), kStd}, kLambda)),
               Error);
  EXPECT_TRUE(models::batch_norm_training(*network));
}

/// The total's parameter gradient against central differences of the total itself, along the gradient's own direction:
/// loss and penalty together, in the mode that training uses.
TEST(TrainingObjective, TotalDescendsAlongItsGradient) {
  constexpr double kStep = 1e-6;
  const auto network = tiny_network();
  network->train();
  const auto options = nt(NormGradient::kExact, CleanPass::kShared);
  // Frozen statistics move at each training pass: every evaluation starts from the same ones.
  const auto evaluate = [&] {
    torch::NoGradGuard no_grad;
    network->named_buffers()["norm.running_mean"].zero_();
    network->named_buffers()["norm.running_var"].fill_(1.0);
    torch::AutoGradMode enable(true);
    return objective_of(*network, options).total;
  };
  const auto gradients = parameter_gradients(evaluate(), *network);
  double squared_norm = 0;
  for (const auto& gradient : gradients) {
    squared_norm += gradient.square().sum().item<double>();
  }
  const auto move = [&](double step) {
    torch::NoGradGuard no_grad;
    auto parameters = network->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].add_(gradients[i], step / std::sqrt(squared_norm));
    }
  };
  move(kStep);
  const double above = evaluate().item<double>();
  move(-2 * kStep);
  const double below = evaluate().item<double>();
  EXPECT_NEAR((above - below) / (2 * kStep), std::sqrt(squared_norm), 1e-4 * std::sqrt(squared_norm));
}

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  long total = 0;
  long resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1024.0 * 1024.0);
}

// Bit by bit. Of HyperIQA, BatchNorm goes by batch statistics in the loss and by running ones, folded, in the penalty.
TEST(TrainingObjective, CheckpointedActivationsGiveTheSameGradients) {
  for (const auto& [model, backbone] : {std::pair{"hyperiqa", "mobilenet_v2"}, {"dbcnn", ""}}) {
    const auto gradient = [model = model, backbone = backbone](bool checkpoint) {
      const auto network = models::make_network(model, backbone);
      models::fill_hash_weights(*network);
      network->train();
      const auto side = std::string(model) == "dbcnn" ? 64 : models::find_model(model).crop;
      ObjectiveOptions options{{}, nt(NormGradient::kAlternating, CleanPass::kShared), kStd};
      options.checkpoint_activations = checkpoint;
      const auto result = training_objective(*network, models::hash_input(5, 2, side, side),
                                             torch::tensor({3.0F, -2.0F}), options, kLambda);
      return flat_gradient(result.total, *network);
    };
    const auto expected = gradient(false);
    EXPECT_GT(expected.norm().item<double>(), 0) << model;
    EXPECT_TRUE(torch::equal(gradient(true), expected)) << model;
  }
}

TEST(TrainingObjective, CheckpointedActivationsAreRefusedWhereTheyDoNotGo) {
  const auto network = tiny_network();
  for (const auto& regulariser :
       {nt(NormGradient::kExact, CleanPass::kShared), nt(NormGradient::kAlternating, CleanPass::kReused)}) {
    ObjectiveOptions options{{}, regulariser, kStd};
    options.checkpoint_activations = true;
    EXPECT_THAT(
        error_message(
            ErrorKind::kUsage,
            [&] { static_cast<void>(training_objective(*network, tiny_input(), tiny_labels(), options, kLambda)); }),
        HasSubstr("checkpoint-activations does not go with"));
  }
}

TEST(TrainingObjective, ExactFormOnBatchStatisticsIsRefused) {
  const auto network = tiny_network();
  network->train();
  const auto x = models::hash_input(5, 2, 32, 32).to(torch::kFloat64);
  const auto labels = torch::tensor({3.0, -2.0}, torch::kFloat64);
  auto options = nt(NormGradient::kExact, CleanPass::kShared);
  options.batch_norm = BatchNormMode::kTrain;
  EXPECT_THROW(static_cast<void>(training_objective(*network, x, labels, {{}, options, kStd}, kLambda)), Error);
}

TEST(TrainingObjective, MemoryStaysFlatOverSteps) {
  const auto x = models::hash_input(5, 2, 32, 32).to(torch::kFloat64);
  const auto labels = torch::tensor({3.0, -2.0}, torch::kFloat64);
  for (const auto& options :
       {nt(NormGradient::kExact, CleanPass::kShared), nt(NormGradient::kAlternating, CleanPass::kReused)}) {
    const auto network = tiny_network();
    network->train();
    const auto steps = [&](int count) {
      for (int i = 0; i < count; ++i) {
        network->zero_grad();
        add_parameter_gradients(training_objective(*network, x, labels, {{}, options, kStd}, kLambda), *network);
      }
    };
    steps(50);
    const double before = resident_mib();
    steps(200);
    // One step's graph holds well over 100 KiB: were it kept, 200 of them would take more than 20 MiB.
    EXPECT_LT(resident_mib() - before, 4.0);
  }
}

/// The sum of the pixels that are left, each dropped with p = 0.5 in training.
class DroppingSum : public models::Network {
 public:
  torch::Tensor forward(const torch::Tensor& x) override {
    return weight_ * torch::dropout(x, 0.5, is_training()).sum({1, 2, 3});
  }

 private:
  torch::Tensor weight_ = register_parameter("weight", torch::ones({1}, torch::kFloat64));
};

// The sum is linear: with one mask for all passes its finite difference is exactly the l1 norm of the gradient, which
// is 2 for each pixel that the mask leaves. With a mask for each pass it would be hundreds of times that.
TEST(TrainingObjective, PassesOfAStepShareTheirDropout) {
  DroppingSum network;
  const auto x = torch::ones({3, 3, 8, 8}, torch::kFloat64);
  const auto result_with = [&](std::uint64_t seed, CleanPass clean_pass) {
    return training_objective(network, x, tiny_labels(),
                              {{}, nt(NormGradient::kFiniteDifference, clean_pass), kStd, seed}, kLambda);
  };
  torch::manual_seed(11);
  const auto left = torch::dropout(x, 0.5, true).sum({1, 2, 3});
  for (const auto clean_pass : {CleanPass::kShared, CleanPass::kSeparate}) {
    const auto result = result_with(11, clean_pass);
    EXPECT_TRUE(torch::allclose(result.predictions, left));
    EXPECT_NEAR(result.mean_gradient_norm, left.mean().item<double>(), 1e-9);
  }
  EXPECT_EQ(result_with(11, CleanPass::kShared).loss, result_with(11, CleanPass::kShared).loss);
  EXPECT_NE(result_with(11, CleanPass::kShared).loss, result_with(12, CleanPass::kShared).loss);
}

}  // namespace
}  // namespace steadyiqa::objective
