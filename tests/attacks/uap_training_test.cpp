#include "attacks/uap_training.h"

#include "attacks/tiny_uap.h"
#include "attacks/uap_generator.h"
#include "attacks/written_out.h"
#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <vector>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::kTinyCrop;
using ::steadyiqa::testing::model_of;
using ::steadyiqa::testing::tiny_files;
using ::steadyiqa::testing::tiny_scorer;
using ::steadyiqa::testing::train_quietly;
using ::testing::HasSubstr;

/// As make_uap_values.py prints them, after six steps.
struct Trained {
  UapTrainer trainer;
  double way;
  UapVariant variant;
  double objective, place, size;
};
std::ostream& operator<<(std::ostream& out, const Trained& t) {
  return out << static_cast<int>(t.trainer) << " " << t.way << " " << static_cast<int>(t.variant);
}

class UapSteps : public ::testing::TestWithParam<Trained> {
 protected:
  static constexpr std::int64_t kSide = 10;
  static torch::Tensor batch(std::int64_t step) {
    const auto axis = [](std::int64_t n, std::vector<std::int64_t> shape) { return torch::arange(n).view(shape); };
    const auto i = axis(2, {2, 1, 1, 1});
    const auto c = axis(3, {3, 1, 1});
    const auto y = axis(kSide, {kSide, 1});
    const auto x = axis(kSide, {kSide});
    return ((37 * c + 11 * y + 7 * x + 5 * x * y + 53 * i + 29 * step) % 256).to(torch::kFloat32) / 255.0;
  }
};

TEST_P(UapSteps, AreThoseOfPyTorch) {
  const auto& expected = GetParam();
  const UapOptions options{
      .trainer = expected.trainer, .tile = kSide, .rate = expected.trainer == UapTrainer::kOptimised ? 0.03 : 40};
  const auto perturbation = start_uap(options, 0);
  testing::WrittenOut victim;
  double objective = 0;
  for (std::int64_t step = 0; step < 6; ++step) {
    const auto at = uap_gradient(victim, batch(step), perturbation->value(), expected.way, expected.variant);
    objective = at.scores.sum().item<double>();
    perturbation->ascend(at.gradient);
  }
  const auto u = perturbation->value();
  const auto ramp = torch::arange(u.numel()).view_as(u) / static_cast<double>(u.numel());
  EXPECT_NEAR(objective, expected.objective, 1e-7);
  EXPECT_NEAR((u * ramp).sum().item<double>(), expected.place, 2e-5);  // of 300 float32 values, each after six steps
  EXPECT_NEAR(u.abs().sum().item<double>(), expected.size, 2e-5);
}

INSTANTIATE_TEST_SUITE_P(
    MakeUapValues, UapSteps,
    ::testing::Values(Trained{UapTrainer::kOptimised, 1, UapVariant::kPaper, 0.07809820, 3.2805190, 24.5462284},
                      Trained{UapTrainer::kOptimised, 1, UapVariant::kOfficial, 0.07860857, 3.2717843, 24.4144669},
                      Trained{UapTrainer::kOptimised, -1, UapVariant::kPaper, 0.04183345, -3.2040865, 26.8137703},
                      Trained{UapTrainer::kOptimised, -1, UapVariant::kOfficial, 0.04213139, -3.2781782, 26.6968212},
                      Trained{UapTrainer::kCumulative, 1, UapVariant::kPaper, 0.07162710, 3.3957558, 24.7423153},
                      Trained{UapTrainer::kCumulative, 1, UapVariant::kOfficial, 0.07503328, 3.3766813, 25.4349251},
                      Trained{UapTrainer::kCumulative, -1, UapVariant::kPaper, 0.04247266, -3.5609288, 25.8615799},
                      Trained{UapTrainer::kCumulative, -1, UapVariant::kOfficial, 0.04315962, -3.4523611, 25.7474232}));

/// score = sum over pixels of weight x pixel: the best perturbation is the bound times the weight's sign.
class LinearScore : public models::Network {
 public:
  explicit LinearScore(torch::Tensor weight) : weight_(std::move(weight)) {}
  torch::Tensor forward(const torch::Tensor& x) override { return (x * weight_).sum({1, 2, 3}); }

 private:
  torch::Tensor weight_;
};

class UapOfGreyImages : public ::steadyiqa::testing::TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    torch::manual_seed(1);
    weight_ = torch::randn({3, kTinyCrop, kTinyCrop});
    std::string list = "image,mos,set\n";
    for (int i = 0; i < 5; ++i) {  // far enough from black and white that nothing is cut
      image::Image image(40, 36);
      for (std::size_t p = 0; p < image.pixels.size(); ++p) {
        image.pixels[p] = static_cast<std::uint8_t>(90 + (p * 31 + static_cast<std::size_t>(i) * 17) % 70);
      }
      const auto name = fmt::format("{}.png", i);
      image::write_png(folder() / name, image);
      list += name + ",50,train\n";
    }
    write_file_atomic(folder() / "list.csv", list);
  }
  [[nodiscard]] data::Dataset images() const { return data::read_manifest(folder() / "list.csv"); }
  /// With a slope below 0 the better image has the lower raw score.
  [[nodiscard]] checkpoint::LoadedModel model(double slope) const {
    return model_of(models::Scorer(std::make_shared<LinearScore>(weight_.unsqueeze(0)), testing::tiny_options()),
                    {slope, 50.0});
  }
  torch::Tensor weight_;
};

TEST_F(UapOfGreyImages, OfALinearScoreIsTheBoundTimesTheSignOfItsWeights) {
  const UapOptions options{
      .directions = UapDirections::kBoth, .tile = kTinyCrop, .batch = 2, .epochs = 2, .rate = 0.025};
  for (const double slope : {2.0, -2.0}) {
    const auto uap = train_quietly(model(slope), images(), options);
    const auto best = 0.1 * (slope * weight_).sign();
    EXPECT_TRUE(torch::equal(uap.up, best)) << slope;
    EXPECT_TRUE(torch::equal(uap.down, -best)) << slope;
  }
}

TEST_F(UapOfGreyImages, OfALinearScoreGrowsByTheGradientWithPlainSteps) {
  // Two epochs of batches 2, 2 and 1 are six steps; each adds rate x d(slope x score / 100)/dx = rate x slope w / std /
  // 100.
  const UapOptions options{
      .trainer = UapTrainer::kCumulative, .tile = kTinyCrop, .batch = 2, .epochs = 2, .rate = 0.05};
  const auto uap = train_quietly(model(2), images(), options);
  const auto std = torch::tensor({0.229, 0.224, 0.225}).view({3, 1, 1});
  const auto expected = (6 * 0.05 * 2 * weight_ / std / 100).clamp(-0.1, 0.1);
  EXPECT_LT((uap.up - expected).abs().max().item<double>(), 1e-6);
  EXPECT_GT((expected.abs() < 0.1).sum().item<std::int64_t>(), 100);  // or the bound would be all that is tested
  EXPECT_FALSE(uap.down.defined());
}

TEST_F(UapOfGreyImages, OfALinearScoreIsApproachedByTheGenerator) {
  const UapOptions options{
      .trainer = UapTrainer::kGenerative, .tile = kTinyCrop, .batch = 5, .epochs = 60, .rate = 1e-2, .channels = 8};
  const auto uap = train_quietly(model(2), images(), options);
  const auto best = 0.1 * weight_.abs().sum().item<double>();
  EXPECT_GT((uap.up * weight_).sum().item<double>(), 0.5 * best);
  EXPECT_LE(uap.up.abs().max().item<double>(), 0.1 + 1e-6);
}

TEST_F(UapOfGreyImages, OfficialBatchesAreDrawnFromAllImagesAnew) {
  // On these images nothing is cut, so that the variants' gradients agree; and the tiny model's depend on the image.
  const auto tiny = model_of(tiny_scorer());
  UapOptions options{.tile = kTinyCrop, .batch = 2, .epochs = 1};
  const auto epochs = train_quietly(tiny, images(), options);
  options.variant = UapVariant::kOfficial;
  EXPECT_FALSE(torch::equal(train_quietly(tiny, images(), options).up, epochs.up));
}

TEST(UapTraining, IsTheSameTwiceAndAnotherWithAnotherSeed) {
  const auto model = model_of(tiny_scorer());
  for (const auto trainer : {UapTrainer::kOptimised, UapTrainer::kCumulative, UapTrainer::kGenerative}) {
    UapOptions options{.trainer = trainer,
                       .directions = UapDirections::kBoth,
                       .tile = kTinyCrop,
                       .epochs = 1,
                       .rate = trainer == UapTrainer::kCumulative ? 100.0 : 1e-2,
                       .channels = 4};
    const auto first = train_quietly(model, tiny_files().dataset(), options);
    const auto second = train_quietly(model, tiny_files().dataset(), options);
    EXPECT_TRUE(torch::equal(first.up, second.up));
    EXPECT_TRUE(torch::equal(first.down, second.down));
    EXPECT_FALSE(torch::equal(first.up, first.down));
    EXPECT_GT(first.up.abs().max().item<double>(), 1e-3);
    options.seed = 1;
    EXPECT_FALSE(torch::equal(train_quietly(model, tiny_files().dataset(), options).up, first.up));
  }
}

TEST(UapTraining, HandsOverWhatThereIsAfterEveryEpoch) {
  set_progress_mode(ProgressMode::kQuiet);
  std::vector<std::int64_t> epochs;
  std::vector<torch::Tensor> states;
  const auto uap = train_uap(model_of(tiny_scorer()), tiny_files().dataset(), {.tile = kTinyCrop, .epochs = 3},
                             [&](const Uap& so_far) {
                               epochs.push_back(so_far.epochs);
                               states.push_back(so_far.up);
                             });
  ASSERT_THAT(epochs, ::testing::ElementsAre(1, 2, 3));
  EXPECT_FALSE(torch::equal(states[0], states[1]));
  EXPECT_TRUE(torch::equal(states[2], uap.up));
  EXPECT_EQ(uap.model, "compact");
  EXPECT_EQ(uap.images.size(), tiny_files().dataset().samples.size());
}

TEST(UapTraining, LeavesTheModelAsItWas) {
  const auto model = model_of(tiny_scorer());
  auto& network = model.scorer.network();
  network.train();
  std::vector<torch::Tensor> state;
  for (const auto& [name, tensor] : models::state_entries(network)) {
    state.push_back(tensor.detach().clone());
  }
  static_cast<void>(train_quietly(model, tiny_files().dataset(), {.tile = kTinyCrop, .epochs = 1}));
  EXPECT_TRUE(network.is_training());
  for (const auto& value : network.parameters()) {
    EXPECT_FALSE(value.grad().defined());
  }
  std::size_t i = 0;
  for (const auto& [name, tensor] : models::state_entries(network)) {
    EXPECT_TRUE(torch::equal(tensor, state[i++])) << name;
  }
}

TEST(UapTraining, WeightsThatAreNaNAreANumericError) {
  const auto model = model_of(tiny_scorer());
  {
    const torch::NoGradGuard no_grad;
    testing::parameter(model.scorer.network(), "head.0.weight")[0].fill_(std::numeric_limits<float>::quiet_NaN());
  }
  const auto message = error_message(ErrorKind::kNumeric, [&] {
    static_cast<void>(train_quietly(model, tiny_files().dataset(), {.tile = kTinyCrop, .epochs = 1}));
  });
  EXPECT_THAT(message, HasSubstr("not finite"));
}

TEST(UapTraining, RefusesAModelThatDoesNotSayWhichWayIsUp) {
  const checkpoint::LoadedModel model{tiny_scorer(), {}, std::string(64, '0')};
  const auto message =
      error_message(ErrorKind::kInput, [&] { static_cast<void>(train_quietly(model, tiny_files().dataset(), {})); });
  EXPECT_THAT(message, HasSubstr("not calibrated"));
}

TEST(UapTraining, RefusesNoImagesAndOnesThatCannotBeRead) {
  auto dataset = tiny_files().dataset();
  dataset.samples[3].path = tiny_files().manifest();
  const auto model = model_of(tiny_scorer());
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { static_cast<void>(train_quietly(model, dataset, {})); }),
              HasSubstr("manifest.csv"));
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { static_cast<void>(train_quietly(model, {}, {})); }),
              HasSubstr("needs images"));
}

// make_uap_values.py, with the same formula in the weights.
TEST(UapGenerator, IsTheUNetOfPyTorch) {
  const torch::NoGradGuard no_grad;
  UapGenerator generator(16, 2, 0);
  std::int64_t counter = 0;
  for (auto& value : generator.parameters()) {  // in order of registration: level by level, down before up
    const auto numbers = torch::arange(counter + 1, counter + value.numel() + 1).to(torch::kFloat64);
    value.copy_((0.2 * torch::sin(numbers)).to(torch::kFloat32).view(value.sizes()));
    counter += value.numel();
  }
  const auto noise = torch::cos(torch::arange(3 * 16 * 16).to(torch::kFloat64)).to(torch::kFloat32);
  const auto out = generator.forward(noise.view({1, 3, 16, 16}));
  const auto ramp = torch::arange(out.numel()).view_as(out) / static_cast<double>(out.numel());
  constexpr double kTolerance = 1e-3;  // of sums over 768 float32 values that went through eight layers
  EXPECT_NEAR(out.sum().item<double>(), 15.517418, kTolerance);
  EXPECT_NEAR((out * ramp).sum().item<double>(), -13.291634, kTolerance);
  EXPECT_NEAR(out.abs().sum().item<double>(), 290.139221, kTolerance);
}

TEST(UapGenerator, RefusesAnOddSide) {
  EXPECT_THAT(error_message(ErrorKind::kUsage,
                            [] { static_cast<void>(start_uap({.trainer = UapTrainer::kGenerative, .tile = 33}, 0)); }),
              HasSubstr("33"));
}

}  // namespace
}  // namespace steadyiqa::attacks
