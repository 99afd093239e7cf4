#include "training/trainer.h"

#include "base/digest.h"
#include "base/expect_error.h"
#include "checkpoint/model_file.h"
#include "pretend_device.h"
#include "scoring/score_set.h"
#include "stats/correlation.h"
#include "training/tiny_run.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace steadyiqa::training {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::tiny_data;
using ::steadyiqa::testing::tiny_recipe;

class Training : public ::steadyiqa::testing::TinyRun {};

TEST_F(Training, ReducesTheLoss) {
  auto recipe = tiny_recipe();
  recipe.run.epochs = 12;
  recipe.optimiser.lr = 0.01;
  recipe.optimiser.schedule = ScheduleKind::kConstant;
  train(recipe, "run");
  const auto epochs = log("run", /*epochs_only=*/true);
  ASSERT_EQ(epochs.size(), 12U);
  EXPECT_LT(epochs.back().at("loss").get<double>(), 0.8 * epochs.front().at("loss").get<double>());
}

TEST_F(Training, OnAnotherDeviceGivesTheProcessorsModel) {
  for (const auto algorithm : {Algorithm::kAdam, Algorithm::kSgd}) {
    auto recipe = tiny_recipe();
    recipe.optimiser.algorithm = algorithm;
    recipe.regulariser.regulariser = objective::RegulariserKind::kNt;
    recipe.run.average = 0.9;
    const auto name = std::to_string(static_cast<int>(algorithm));
    const auto expected = checkpoint::load_model(train(recipe, "here" + name).last);
    const auto found = [&] {
      const testing::OnPretendDevice pretend;
      return checkpoint::load_model(train(recipe, "there" + name).last);
    }();
    const auto image = data::to_tensor(image::read_image(tiny_data().train.samples.front().path).value()).unsqueeze(0);
    const torch::NoGradGuard no_grad;
    const testing::OnPretendDevice pretend;  // where `found` was loaded
    EXPECT_NEAR(found.scorer.score(image).item<double>(), expected.scorer.score(image).item<double>(), 1e-3);
  }
}

TEST_F(Training, LeavesEverythingThatTheDirectoryPromises) {
  const auto result = train(tiny_recipe(), "run");
  Recipe recipe;
  apply_recipe_file(recipe, folder() / "run" / "recipe.toml");
  EXPECT_EQ(recipe_to_json(recipe), recipe_to_json(tiny_recipe()));
  // 16 images x 2 crops in batches of 8: 4 steps an epoch.
  const auto lines = log("run");
  ASSERT_EQ(lines.size(), 10U);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].at("epoch"), i / 5);
    EXPECT_EQ(lines[i].contains("step"), i % 5 != 4);
    EXPECT_EQ(lines[i].contains("srocc"), i % 5 == 4);
  }
  std::vector<std::string> images;
  for (const auto& sample : tiny_data().train.samples) {
    images.push_back(data::pixel_digest(data::to_tensor(image::read_image(sample.path).value())));
  }
  for (const auto& path : {result.best, result.last}) {
    const auto model = checkpoint::load_model(path);
    EXPECT_TRUE(model.scorer.options().scale.calibrated);
    EXPECT_EQ(model.provenance.training_images, images);
    EXPECT_EQ(model.scorer.options().crop, testing::kTinyCrop);
    EXPECT_EQ(model.provenance.recipe, recipe_to_json(recipe));
    EXPECT_EQ(model.provenance.training.at("data_digest"), tiny_data().train.digest());
  }
}

// What the labels mean changes nothing in how well the network reproduces them, and so nothing in the choice.
TEST_F(Training, SelectsTheSameEpochWhereALowerLabelIsBetter) {
  const auto higher = train(tiny_recipe(), "higher");
  auto data = tiny_data();
  data.train.scale.direction = data.selection->scale.direction = data::Direction::kLowerIsBetter;
  const auto lower = training::train(tiny_recipe(), data, folder() / "lower", /*resume=*/false);
  EXPECT_EQ(log("lower", /*epochs_only=*/true), log("higher", /*epochs_only=*/true));
  EXPECT_EQ(lower.best_epoch, higher.best_epoch);
  const double slope = checkpoint::load_model(higher.best).scorer.options().scale.calibration.slope;
  EXPECT_NEAR(checkpoint::load_model(lower.best).scorer.options().scale.calibration.slope, -slope,
              1e-9 * std::abs(slope));
}

// Raw scores are labels where the loss ties them to labels; the file says so, for robustness on raw scores.
TEST_F(Training, TheModelKnowsItsLabels) {
  auto recipe = tiny_recipe();
  recipe.data.labels = Labels::kPoints;
  auto data = tiny_data();
  data.train.scale = {.min = 1, .max = 5, .direction = data::Direction::kLowerIsBetter, .name = "DMOS 1..5"};
  const auto tied = training::train(recipe, data, folder() / "tied", /*resume=*/false);
  const auto native = checkpoint::load_model(tied.last).scorer.options().scale.native;
  ASSERT_TRUE(native);
  EXPECT_EQ(native->labels.name, "DMOS 1..5");
  EXPECT_NEAR(native->line(100), 1, 1e-12);  // 100 points is the best label
  EXPECT_NEAR(native->to_0_100()(37), 37, 1e-12);
  recipe.loss.loss = objective::LossKind::kNormInNorm;
  const auto free = training::train(recipe, data, folder() / "free", /*resume=*/false);
  const auto scale = checkpoint::load_model(free.last).scorer.options().scale;
  ASSERT_TRUE(scale.native);
  EXPECT_NEAR(scale.native->to_0_100()(0.25), scale.calibration(0.25), 1e-9 * std::abs(scale.calibration(0.25)));
}

TEST_F(Training, CalibratesTheBestModelOnTheTrainingSet) {
  auto recipe = tiny_recipe();
  recipe.run.epochs = 4;
  const auto result = train(recipe, "run");
  const auto data = tiny_data();
  const auto model = checkpoint::load_model(result.best);
  const auto expected = scoring::fit_scale(model.scorer, data.train, 1000);
  EXPECT_EQ(model.scorer.options().scale.calibration.slope, expected.calibration.slope);
  EXPECT_EQ(model.scorer.options().scale.calibration.intercept, expected.calibration.intercept);
  // And the best is the best by the log, measured again from its file.
  double best = -2;
  for (const auto& epoch : log("run", /*epochs_only=*/true)) {
    best = std::max(best, epoch.at("srocc").get<double>());
  }
  const auto raw = scoring::raw_scores(model.scorer, *data.selection, "test");
  EXPECT_DOUBLE_EQ(stats::srocc(raw, scoring::mos_0_100(*data.selection)), best);
  EXPECT_EQ(result.best_srocc, best);
  EXPECT_EQ(model.provenance.training.at("epoch"), result.best_epoch);
}

TEST_F(Training, TheSameSeedGivesTheSameBytesAndAnotherDoesNot) {
  auto recipe = tiny_recipe();
  recipe.regulariser.regulariser = objective::RegulariserKind::kNt;
  const auto first = train(recipe, "first");
  const auto second = train(recipe, "second");
  EXPECT_EQ(sha256_file(first.last), sha256_file(second.last));
  EXPECT_EQ(sha256_file(first.best), sha256_file(second.best));
  EXPECT_EQ(log("first"), log("second"));
  auto other = recipe;
  other.run.seed = 6;
  const auto third = checkpoint::load_model(train(other, "third").last);
  EXPECT_FALSE(torch::equal(third.scorer.network().parameters().front(),
                            checkpoint::load_model(first.last).scorer.network().parameters().front()));
}

TEST_F(Training, TheRegulariserHoldsTheGradientNormDown) {
  auto recipe = tiny_recipe();
  recipe.run.epochs = 4;
  recipe.optimiser.lr = 0.01;
  recipe.optimiser.schedule = ScheduleKind::kConstant;
  recipe.regulariser.regulariser = objective::RegulariserKind::kNt;
  const auto last_norm = [&](double lambda, const std::string& name) {
    recipe.regulariser.lambda = lambda;
    train(recipe, name);
    return log(name, /*epochs_only=*/true).back().at("gradient_norm").get<double>();
  };
  EXPECT_LT(last_norm(0.3, "strong"), 0.1 * last_norm(1e-6, "weak"));
}

TEST_F(Training, StartsAtTheMeanMosUnlessToldOtherwise) {
  auto recipe = tiny_recipe();
  const auto data = tiny_data();
  double mean = 0;
  for (const auto& sample : data.train.samples) {
    mean += sample.mos / static_cast<double>(data.train.samples.size());
  }
  const auto bias = [&](const models::Scorer& scorer) {
    return testing::parameter(scorer.network(), "head.2.bias").item<double>();
  };
  EXPECT_NEAR(bias(make_scorer(recipe, data.train)), mean, 1e-4);
  recipe.optimiser.bias_to_mean = false;
  EXPECT_LT(std::abs(bias(make_scorer(recipe, data.train))), 1.0);
  // A whole model to start from keeps its own bias.
  const auto model = folder() / "model.safetensors";
  checkpoint::save_model(model, testing::tiny_scorer(12.5), {});
  recipe.optimiser.bias_to_mean = true;
  recipe.model.init = model.string();
  EXPECT_EQ(bias(make_scorer(recipe, data.train)), 12.5);
}

TEST_F(Training, FrozenBatchNormKeepsItsStatistics) {
  auto recipe = tiny_recipe();
  recipe.run.epochs = 1;
  recipe.optimiser.batch_norm = objective::BatchNormMode::kFrozen;
  const auto frozen = checkpoint::load_model(train(recipe, "frozen").last);
  recipe.optimiser.batch_norm = objective::BatchNormMode::kTrain;
  const auto trained = checkpoint::load_model(train(recipe, "trained").last);
  const auto running_mean = [](const checkpoint::LoadedModel& model) {
    return model.scorer.network().named_buffers()["features.0.1.running_mean"];
  };
  EXPECT_EQ(running_mean(frozen).abs().max().item<float>(), 0.0F);
  EXPECT_GT(running_mean(trained).abs().max().item<float>(), 0.0F);
}

TEST_F(Training, ADirectoryThatHoldsARunNeedsResume) {
  auto recipe = tiny_recipe();
  recipe.run.epochs = 1;
  train(recipe, "run");
  const auto message = error_message(ErrorKind::kUsage, [&] { train(recipe, "run"); });
  EXPECT_NE(message.find("--resume"), std::string::npos) << message;
}

TEST_F(Training, ResumeWithAnotherRecipeNamesTheKey) {
  auto recipe = tiny_recipe();
  recipe.run.epochs = 1;
  train(recipe, "run");
  recipe.optimiser.lr = 1e-3;
  const auto message = error_message(ErrorKind::kUsage, [&] { train(recipe, "run", /*resume=*/true); });
  EXPECT_NE(message.find("/recipe/optimiser/lr"), std::string::npos) << message;
}

TEST_F(Training, ResumeWithOtherDataIsAnError) {
  auto recipe = tiny_recipe();
  recipe.run.epochs = 1;
  train(recipe, "run");
  auto data = tiny_data();
  data.train.samples.pop_back();
  const auto message =
      error_message(ErrorKind::kUsage, [&] { training::train(recipe, data, folder() / "run", /*resume=*/true); });
  EXPECT_NE(message.find("/train"), std::string::npos) << message;
}

TEST_F(Training, SelectionNeedsItsSet) {
  auto data = tiny_data();
  data.selection.reset();
  auto recipe = tiny_recipe();
  recipe.run.epochs = 1;
  const auto message =
      error_message(ErrorKind::kUsage, [&] { training::train(recipe, data, folder() / "run", false); });
  EXPECT_NE(message.find("validation"), std::string::npos) << message;
  recipe.run.select = Selection::kLast;
  const auto result = training::train(recipe, data, folder() / "last", false);
  EXPECT_TRUE(std::isnan(result.best_srocc));
  EXPECT_EQ(sha256_file(result.best), sha256_file(result.last));
}

TEST_F(Training, SetsOfOneImageAreToldBeforeAnyWork) {
  for (const bool of_selection : {false, true}) {
    auto data = tiny_data();
    (of_selection ? *data.selection : data.train).samples.resize(1);
    const auto message =
        error_message(ErrorKind::kInput, [&] { training::train(tiny_recipe(), data, folder() / "run", false); });
    EXPECT_NE(message.find(of_selection ? "validation set has 1 image" : "training set has 1 image"), std::string::npos)
        << message;
    EXPECT_FALSE(std::filesystem::exists(folder() / "run"));
  }
}

TEST_F(Training, ALossThatIsNotFiniteStopsTheRun) {
  auto recipe = tiny_recipe();
  recipe.optimiser.lr = 1e30;
  const auto message = error_message(ErrorKind::kNumeric, [&] { train(recipe, "run"); });
  EXPECT_NE(message.find("not finite"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(folder() / "run" / "last.safetensors"));
}

// The gradients are the same, so the refusal tells that the objective was asked for them.
TEST_F(Training, ActivationsAreCheckpointedWhereTheRecipeSaysSo) {
  auto recipe = tiny_recipe();
  recipe.regulariser.regulariser = objective::RegulariserKind::kNt;
  recipe.regulariser.clean_pass = objective::CleanPass::kReused;
  recipe.run.checkpoint_activations = true;
  const auto message = error_message(ErrorKind::kUsage, [&] { train(recipe, "run"); });
  EXPECT_NE(message.find("checkpoint-activations"), std::string::npos) << message;
}

// BatchNorm over the vectors of one image has no variance: LinearityIQA cannot take a last batch of one.
TEST_F(Training, ALastBatchThatTheNetworkCannotTrainOnIsDropped) {
  auto recipe = tiny_recipe();
  recipe.model.name = "linearityiqa";
  recipe.model.backbone = "mobilenet_v2";
  recipe.run.epochs = 1;
  recipe.data.crops_per_image = 1;
  recipe.data.batch = static_cast<std::int64_t>(tiny_data().train.samples.size()) - 1;
  train(recipe, "run");
  EXPECT_EQ(log("run").size(), 2U);  // one step, then the epoch's line
  recipe.data.batch = 1;
  const auto message = error_message(ErrorKind::kUsage, [&] { train(recipe, "none"); });
  EXPECT_NE(message.find("batches of 2"), std::string::npos) << message;
}

TEST_F(Training, ANetworkThatEndsInASigmoidLearnsUnitLabels) {
  auto recipe = tiny_recipe();
  recipe.model.name = "korhonen";
  recipe.model.backbone = "mobilenet_v2";
  recipe.run.epochs = 1;
  const auto message = error_message(ErrorKind::kUsage, [&] { train(recipe, "none"); });
  EXPECT_NE(message.find("labels = unit"), std::string::npos) << message;
  recipe.data.labels = Labels::kUnit;
  recipe.data.crops_per_image = 1;
  const auto model = checkpoint::load_model(train(recipe, "run").last);
  const auto raw = scoring::raw_scores(model.scorer, tiny_data().train, "test");
  EXPECT_GT(*std::ranges::min_element(raw), 0);
  EXPECT_LT(*std::ranges::max_element(raw), 1);
  // What a raw score is in labels, by the training set's lowest and highest.
  const auto samples = tiny_data().train.samples;
  const auto [low, high] = std::ranges::minmax_element(samples, {}, &data::Sample::mos);
  ASSERT_TRUE(model.scorer.options().scale.native);
  EXPECT_NEAR(model.scorer.options().scale.native->line(0.25), low->mos + 0.25 * (high->mos - low->mos), 1e-9);
}

TEST_F(Training, AMissingImageIsToldBeforeAnyWork) {
  auto data = tiny_data();
  data.train.samples[3].path = folder() / "absent.png";
  const auto message =
      error_message(ErrorKind::kInput, [&] { training::train(tiny_recipe(), data, folder() / "run", false); });
  EXPECT_NE(message.find("absent.png"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(folder() / "run"));
}

}  // namespace
}  // namespace steadyiqa::training
