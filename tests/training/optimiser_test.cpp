#include "training/optimiser.h"

#include "base/expect_error.h"
#include "parallel/device.h"
#include "pretend_device.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <array>
#include <vector>

namespace steadyiqa::training {
namespace {

using ::steadyiqa::testing::error_message;
using Values = std::array<float, 4>;

/// A trunk "res.w" and a head "head.w" of two numbers each.
class Small : public models::Network {
 public:
  Small() {
    res_ = register_module("res", std::make_shared<torch::nn::Module>());
    head_ = register_module("head", std::make_shared<torch::nn::Module>());
    trunk = res_->register_parameter("w", torch::tensor({0.5F, -0.3F}));
    head = head_->register_parameter("w", torch::tensor({1.0F, 2.0F}));
    to(parallel::device());
  }
  torch::Tensor forward(const torch::Tensor& x) override { return x; }
  [[nodiscard]] std::string trunk_prefix() const override { return "res."; }
  [[nodiscard]] Values values() const {
    return {trunk[0].item<float>(), trunk[1].item<float>(), head[0].item<float>(), head[1].item<float>()};
  }
  torch::Tensor trunk, head;

 private:
  std::shared_ptr<torch::nn::Module> res_, head_;
};

void step(Small& network, Optimiser& optimiser, const Values& gradient) {
  optimiser.zero_grad();
  network.trunk.mutable_grad() = torch::tensor({gradient[0], gradient[1]}).to(parallel::device());
  network.head.mutable_grad() = torch::tensor({gradient[2], gradient[3]}).to(parallel::device());
  optimiser.step();
}

const std::array<Values, 3> kGradients = {{{.1F, -.2F, .3F, 0}, {-.4F, .05F, .2F, -.1F}, {.25F, .3F, -.5F, .6F}}};

// r = Parameter([.5, -.3]); h = Parameter([1., 2.])
// o = torch.optim.Adam([{'params': [r], 'lr': .01}, {'params': [h], 'lr': .1}], weight_decay=.05)
// and three steps with kGradients (torch 1.13.1, Python), the parameters after each.
const std::array<Values, 3> kTorch = {{{0.49000001F, -0.290000021F, 0.900000036F, 1.89999998F},
                                       {0.494945377F, -0.284601897F, 0.802428007F, 1.83679569F},
                                       {0.494440705F, -0.287154883F, 0.797936022F, 1.7665807F}}};

OptimiserSection options_of_golden() {
  OptimiserSection options;
  options.weight_decay = 0.05;
  return options;
}

TEST(Optimiser, StepsAsTorchsAdamInPython) {
  Small network;
  Optimiser optimiser(network, options_of_golden());
  optimiser.start_epoch(0);
  optimiser.set_rates({0.01, 0.1});
  for (std::size_t i = 0; i < kGradients.size(); ++i) {
    step(network, optimiser, kGradients[i]);
    const auto values = network.values();
    for (std::size_t k = 0; k < values.size(); ++k) {
      EXPECT_NEAR(values[k], kTorch[i][k], 2e-7) << "step " << i << " value " << k;
    }
  }
}

// The same with o = torch.optim.SGD([...], lr=.01, momentum=.9, weight_decay=.05).
const std::array<Values, 3> kTorchSgd = {{{0.498750001F, -0.297850013F, 0.964999974F, 1.99000001F},
                                          {0.501375616F, -0.296266079F, 0.908674955F, 1.98105001F},
                                          {0.500988007F, -0.297692418F, 0.903439045F, 1.90308976F}}};

// Against libtorch's Adam: more elements than are taken at once, a gradient that lies in memory otherwise than its
// weight.
TEST(Optimiser, LargeParametersStepAsLibtorchsAdamBitForBit) {
  Small network;
  const auto value = torch::linspace(-1, 1, 96 * 32 * 9 * 4).view({96, 128, 3, 3});
  network.trunk.set_data(value.contiguous(torch::MemoryFormat::ChannelsLast));
  network.head.set_data(torch::linspace(-2, 3, 70001));
  auto trunk = network.trunk.detach().clone().requires_grad_(true);
  auto head = network.head.detach().clone().requires_grad_(true);
  const auto options = options_of_golden();
  Optimiser optimiser(network, options);
  optimiser.set_rates({0.01, 0.01});
  torch::optim::Adam adam({trunk, head}, torch::optim::AdamOptions(0.01).weight_decay(options.weight_decay));
  for (int i = 0; i < 3; ++i) {
    network.trunk.mutable_grad() = torch::sin(value * (i + 5));
    network.head.mutable_grad() = torch::cos(network.head.detach() * (i + 3));
    trunk.mutable_grad() = network.trunk.grad().clone();
    head.mutable_grad() = network.head.grad().clone();
    optimiser.step();
    adam.step();
    EXPECT_TRUE(torch::equal(network.trunk, trunk)) << i;
    EXPECT_TRUE(torch::equal(network.head, head)) << i;
  }
}

TEST(Optimiser, StepsAsTorchsSgdInPython) {
  Small network;
  auto options = options_of_golden();
  options.algorithm = Algorithm::kSgd;
  Optimiser optimiser(network, options);
  optimiser.set_rates({0.01, 0.1});
  for (std::size_t i = 0; i < kGradients.size(); ++i) {
    step(network, optimiser, kGradients[i]);
    const auto values = network.values();
    for (std::size_t k = 0; k < values.size(); ++k) {
      EXPECT_NEAR(values[k], kTorchSgd[i][k], 2e-7) << "step " << i << " value " << k;
    }
  }
}

TEST(Optimiser, HeadAloneLearnsWhereTheTrunkIsNotTrainable) {
  Small network;
  auto options = options_of_golden();
  options.trainable = Trainable::kHead;
  Optimiser optimiser(network, options);
  EXPECT_FALSE(network.trunk.requires_grad());
  EXPECT_TRUE(network.head.requires_grad());
  optimiser.set_rates({0.01, 0.1});
  step(network, optimiser, kGradients[0]);
  EXPECT_EQ(network.values()[0], 0.5F);
  EXPECT_EQ(network.values()[1], -0.3F);
  EXPECT_NEAR(network.values()[2], kTorch[0][2], 2e-7);
}

/// Four epochs of two steps; with `restart_at` the optimiser is rebuilt from its saved state before that epoch, as
/// --resume does.
Values run(const OptimiserSection& options, std::int64_t restart_at) {
  Small network;
  auto optimiser = std::make_unique<Optimiser>(network, options);
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    if (epoch == restart_at) {
      const auto state = optimiser->state();
      optimiser = std::make_unique<Optimiser>(network, options);
      optimiser->start_epoch(epoch - 1);
      optimiser->set_state(state, "test");
    }
    optimiser->start_epoch(epoch);
    optimiser->set_rates({0.01, 0.1});
    step(network, *optimiser, kGradients[static_cast<std::size_t>(epoch) % 3]);
    step(network, *optimiser, kGradients[static_cast<std::size_t>(epoch + 1) % 3]);
  }
  return network.values();
}

TEST(Optimiser, ContinuesBitForBitFromItsState) {
  auto sgd = options_of_golden();
  sgd.algorithm = Algorithm::kSgd;
  auto official = options_of_golden();
  official.quirks = OptimiserQuirks::kOfficial;
  for (const auto& options : {options_of_golden(), sgd, official}) {
    for (const std::int64_t restart : {1, 2, 3}) {
      EXPECT_EQ(run(options, restart), run(options, -1)) << "before epoch " << restart;
    }
  }
}

TEST(Optimiser, OnAnotherDeviceStepsAndContinuesAsOnTheProcessor) {
  const auto expected = run(options_of_golden(), -1);
  const testing::OnPretendDevice pretend;
  EXPECT_EQ(run(options_of_golden(), -1), expected);
  EXPECT_EQ(run(options_of_golden(), 2), expected);
}

TEST(Optimiser, RefusesAStateThatIsIncomplete) {
  Small network;
  Optimiser optimiser(network, {});
  optimiser.set_rates({0.01, 0.1});
  step(network, optimiser, kGradients[0]);
  auto state = optimiser.state();
  EXPECT_EQ(state.size(), 6U);
  state["exp_avg.head.w"] = torch::zeros({3});
  const auto message = error_message(ErrorKind::kInput, [&] { optimiser.set_state(state, "state.safetensors"); });
  EXPECT_NE(message.find("state.safetensors"), std::string::npos) << message;
  EXPECT_NE(message.find("head.w"), std::string::npos) << message;
}

TEST(OfficialQuirks, HeadStopsAfterTheFirstEpochAndMomentsAreForgotten) {
  Small network;
  OptimiserSection options;
  options.weight_decay = 0;
  options.quirks = OptimiserQuirks::kOfficial;
  Optimiser optimiser(network, options);
  optimiser.start_epoch(0);
  optimiser.set_rates({0.01, 0.1});
  step(network, optimiser, kGradients[0]);
  const auto first = network.values();
  EXPECT_NE(first[2], 1.0F);  // the head learns in the first epoch
  for (std::int64_t epoch = 1; epoch < 3; ++epoch) {
    const auto before = network.values();
    optimiser.start_epoch(epoch);
    optimiser.set_rates({0.01, 0.1});
    step(network, optimiser, kGradients[1]);
    const auto after = network.values();
    EXPECT_EQ(after[2], first[2]);
    EXPECT_EQ(after[3], first[3]);
    // Without moments Adam's first step is the rate along the sign, whatever came before.
    EXPECT_NEAR(after[0] - before[0], 0.01, 1e-6);
    EXPECT_NEAR(after[1] - before[1], -0.01, 1e-6);
  }
}

TEST(OfficialQuirks, RatesFollowTheAuthorsCode) {
  // At the end of epoch t: head = 2e-5 / 10^(t div 6) x ratio, ratio 10, but 1 once t > 8; the trunk stays at 2e-5.
  OptimiserSection options;
  options.quirks = OptimiserQuirks::kOfficial;
  const std::array<double, 16> head = {2e-4, 2e-4, 2e-4, 2e-4, 2e-4, 2e-4, 2e-4, 2e-5,
                                       2e-5, 2e-5, 2e-6, 2e-6, 2e-6, 2e-7, 2e-7, 2e-7};
  for (std::int64_t epoch = 0; epoch < 16; ++epoch) {
    const auto rates = rates_at(options, {}, epoch, 3, 10);
    EXPECT_NEAR(rates.head / head[static_cast<std::size_t>(epoch)], 1.0, 1e-12) << epoch;
    EXPECT_EQ(rates.trunk, 2e-5) << epoch;
  }
}

TEST(Schedule, ConstantStepAndCosine) {
  OptimiserSection options;
  options.lr = 1.0;
  options.head_ratio = 4.0;
  options.step_epochs = 2;
  RunSection run;
  run.epochs = 4;
  struct Case {
    ScheduleKind kind;
    std::int64_t epoch, step;
    double expected;
  };
  // Cosine over 4 epochs of 10 steps: (1 + cos(pi done / 40)) / 2.
  for (const auto& [kind, epoch, step, expected] : {Case{ScheduleKind::kConstant, 3, 9, 1.0},
                                                    {ScheduleKind::kStep, 1, 9, 1.0},
                                                    {ScheduleKind::kStep, 2, 0, 0.1},
                                                    {ScheduleKind::kStep, 3, 5, 0.1},
                                                    {ScheduleKind::kStep, 4, 0, 0.01},
                                                    {ScheduleKind::kCosine, 0, 0, 1.0},
                                                    {ScheduleKind::kCosine, 1, 0, 0.85355339059327378},
                                                    {ScheduleKind::kCosine, 2, 0, 0.5},
                                                    {ScheduleKind::kCosine, 3, 0, 0.14644660940672622},
                                                    {ScheduleKind::kCosine, 3, 9, 0.0015413331334360180}}) {
    options.schedule = kind;
    const auto rates = rates_at(options, run, epoch, step, 10);
    EXPECT_NEAR(rates.trunk, expected, 1e-12) << epoch << " " << step;
    EXPECT_NEAR(rates.head, 4 * expected, 1e-12);
  }
}

// torch.optim.lr_scheduler.CosineAnnealingLR(T_max=50, eta_min=0), stepped 150 times (torch 1.13.1, Python).
TEST(Schedule, CosineCycleGoesOnAsPyTorchsDoesBeyondItsEnd) {
  OptimiserSection options;
  options.lr = 1.0;
  options.schedule = ScheduleKind::kCosineCycle;
  options.cycle_steps = 50;
  struct Case {
    std::int64_t step;
    double expected;
  };
  for (const auto& [step, expected] :
       {Case{0, 1.0}, Case{10, 0.9045084971874737}, Case{49, 0.0009866357858642205}, Case{50, 0.0},
        Case{60, 0.0954915028125261}, Case{75, 0.5}, Case{100, 1.0}, Case{125, 0.5}, Case{150, 0.0}}) {
    EXPECT_NEAR(rates_at(options, {}, step / 40, step % 40, 40).trunk, expected, 1e-12) << step;
  }
}

TEST(Schedule, WarmupGrowsLinearlyOverTheFirstSteps) {
  OptimiserSection options;
  options.lr = 1.0;
  options.schedule = ScheduleKind::kConstant;
  options.warmup_steps = 8;
  EXPECT_NEAR(rates_at(options, {}, 0, 0, 5).trunk, 1.0 / 8, 1e-12);
  EXPECT_NEAR(rates_at(options, {}, 0, 4, 5).trunk, 5.0 / 8, 1e-12);
  EXPECT_NEAR(rates_at(options, {}, 1, 0, 5).trunk, 6.0 / 8, 1e-12);  // goes on in the second epoch
  EXPECT_NEAR(rates_at(options, {}, 1, 2, 5).trunk, 1.0, 1e-12);
  EXPECT_NEAR(rates_at(options, {}, 9, 0, 5).trunk, 1.0, 1e-12);
}

}  // namespace
}  // namespace steadyiqa::training
