#include "evaluation/evaluate.h"

#include "base/expect_error.h"
#include "base/temp_folder.h"
#include "image/fidelity.h"
#include "scoring/tiny_files.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::evaluation {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::raw_score;
using ::steadyiqa::testing::tiny_files;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_scorer;

class Evaluate : public ::steadyiqa::testing::TempFolder {
 protected:
  /// Calibrated so that the first image has 50 points.
  static checkpoint::LoadedModel model(double slope = 20.0) {
    checkpoint::LoadedModel loaded{tiny_scorer(10.0), {}, "0123"};
    loaded.scorer.set_scale({"test", {slope, 50.0 - slope * raw_score(loaded.scorer, tiny_images(1)[0])}, true});
    return loaded;
  }
  static attacks::AttackOptions fgsm() { return {.epsilon = 2.0 / 255.0}; }
};

TEST_F(Evaluate, CleanScoresAreTheScorersOwn) {
  const auto loaded = model();
  const auto dataset = tiny_files().first(5);
  const auto evaluations = evaluate(loaded, "m.safetensors", dataset, {fgsm()});
  ASSERT_EQ(evaluations.size(), 1U);
  const auto& e = evaluations[0];
  const auto images = tiny_images(5);
  ASSERT_EQ(e.images.size(), images.size());
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < images.size(); ++i) {
    EXPECT_EQ(e.images[i].clean_raw, raw_score(loaded.scorer, images[i]));  // bit for bit
    EXPECT_EQ(e.images[i].clean, loaded.scorer.calibrate(e.images[i].clean_raw));
    EXPECT_NEAR(e.images[i].clean, loaded.scorer.score(images[i])[0].item<double>(), 1e-4);  // that one is float32
    EXPECT_EQ(e.images[i].name, dataset.samples[i].name);
    EXPECT_EQ(e.images[i].mos, dataset.samples[i].mos);
  }
  EXPECT_EQ(e.model_sha256, "0123");
  EXPECT_EQ(e.data_digest, dataset.digest());
  EXPECT_EQ(e.crops, "grid 4 of 32px");
}

TEST_F(Evaluate, JudgesTheAttackedImageThatItHandsOut) {
  const auto loaded = model();
  std::size_t calls = 0;
  std::vector<double> raw;
  std::vector<double> psnr;
  const auto evaluations = evaluate(
      loaded, "m", tiny_files().first(4), {fgsm(), {.attack = {"ifgsm", {{"steps", 3}}}, .epsilon = 0.005}},
      [&](std::size_t image, std::size_t attack, const torch::Tensor& clean, const attacks::AttackResult& result) {
        EXPECT_EQ(image * 2 + attack, calls++);
        EXPECT_TRUE(torch::equal(clean, tiny_images(image + 1)[image]));
        raw.push_back(raw_score(loaded.scorer, result.attacked));
        psnr.push_back(image::psnr(data::to_image(clean), data::to_image(result.attacked)));
      });
  ASSERT_EQ(evaluations.size(), 2U);
  ASSERT_EQ(calls, 8U);
  for (std::size_t call = 0; call < calls; ++call) {
    const auto& image = evaluations[call % 2].images[call / 2];
    EXPECT_EQ(image.attacked_raw, raw[call]);
    EXPECT_EQ(image.attacked, loaded.scorer.calibrate(raw[call]));
    EXPECT_EQ(image.psnr, psnr[call]);
  }
  EXPECT_EQ(evaluations[0].attacked->max_linf_levels, 2);
  EXPECT_EQ(evaluations[1].attacked->max_linf_levels, 1);
  EXPECT_EQ(evaluations[0].images[0].model_calls, 4);
  EXPECT_EQ(evaluations[1].images[0].model_calls, 6);
  EXPECT_EQ(evaluations[1].attack->parameters, (nlohmann::json{{"steps", 3}, {"step-size", 0.0}}));
  EXPECT_EQ(evaluations[1].attack->levels, 1);
}

TEST_F(Evaluate, GradientNormIsInPixelUnitsOfTheCalibratedScore) {
  // The derivative of the score along the gradient's sign is the l1 norm: a central difference in pixels must show it.
  const auto loaded = model(-20.0);
  const auto evaluations = evaluate(loaded, "m", tiny_files().first(4), {});
  const auto images = tiny_images(2);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto gradient =
        models::input_gradient([&](const torch::Tensor& x) { return loaded.scorer.score(x); }, images[i]).gradient;
    constexpr double kStep = 1e-4;
    const torch::NoGradGuard no_grad;
    const double up = raw_score(loaded.scorer, images[i] + kStep * gradient.sign());
    const double down = raw_score(loaded.scorer, images[i] - kStep * gradient.sign());
    const double slope = std::abs(up - down) * 20.0 / (2 * kStep);
    EXPECT_NEAR(evaluations[0].images[i].gradient_l1 / slope, 1.0, 0.05);
  }
}

TEST_F(Evaluate, WithoutAttacksThereIsOneCleanEvaluation) {
  auto loaded = model();
  loaded.scorer.set_scale({});  // clean scores need no calibration
  const auto evaluations = evaluate(loaded, "m", tiny_files().first(4), {});
  ASSERT_EQ(evaluations.size(), 1U);
  EXPECT_FALSE(evaluations[0].attack);
  EXPECT_FALSE(evaluations[0].attacked);
  EXPECT_EQ(evaluations[0].images.size(), 4U);
}

TEST_F(Evaluate, MidNeedsACalibratedModel) {
  auto loaded = model();
  loaded.scorer.set_scale({});
  const auto message = error_message(ErrorKind::kInput, [&] {
    static_cast<void>(evaluate(loaded, "m.safetensors", tiny_files().first(4), {fgsm()}));
  });
  EXPECT_NE(message.find("m.safetensors"), std::string::npos) << message;
  EXPECT_NE(message.find("mid"), std::string::npos) << message;
  auto raw = fgsm();
  raw.direction = attacks::Direction::kMidRaw;
  EXPECT_EQ(evaluate(loaded, "m", tiny_files().first(4), {raw}).size(), 1U);
}

TEST_F(Evaluate, AShrunkenScaleGainsRobustnessOnRawScoresOnly) {
  const auto plain = model();
  auto shrunken = model();
  constexpr double kShrink = 64;  // a power of two: floats scale exactly
  {
    const torch::NoGradGuard no_grad;
    for (const char* name : {"head.2.weight", "head.2.bias"}) {
      testing::parameter(shrunken.scorer.network(), name).div_(kShrink);
    }
  }
  auto scale = plain.scorer.options().scale;
  scale.calibration.slope *= kShrink;
  shrunken.scorer.set_scale(scale);
  const auto a = evaluate(plain, "plain", tiny_files().first(6), {fgsm()})[0];
  const auto b = evaluate(shrunken, "shrunken", tiny_files().first(6), {fgsm()})[0];
  EXPECT_NEAR(b.attacked->robustness.natural, a.attacked->robustness.natural, 1e-9);
  EXPECT_NEAR(b.attacked->change.share_of_spread, a.attacked->change.share_of_spread, 1e-9);
  EXPECT_NEAR(b.mean_gradient_l1, a.mean_gradient_l1, 1e-6 * a.mean_gradient_l1);
  // Raw scores shrink from about 10 to 10 / 64 of 100, their change by 64: R grows for nothing.
  const double gain = std::log(kShrink * (100 - 10 / kShrink) / (100 - 10));
  EXPECT_NEAR(b.attacked->robustness_raw.natural - a.attacked->robustness_raw.natural, gain, 0.02);
}

TEST_F(Evaluate, AModelWithoutGradientIsMeasuredNotRefused) {
  auto loaded = model();
  testing::make_constant(loaded.scorer.network());
  loaded.scorer.set_scale({"constant", {0, 47}, true});  // what calibration makes of such a model
  const auto e = evaluate(loaded, "m", tiny_files().first(4), {fgsm()})[0];
  EXPECT_TRUE(std::isnan(e.clean.srocc));
  EXPECT_TRUE(std::isnan(e.attacked->mean_psnr));
  EXPECT_EQ(e.attacked->change.mean_absolute, 0);
  EXPECT_EQ(e.attacked->max_linf_levels, 0);
}

TEST_F(Evaluate, TakesImagesTooSmallForSsim) {
  auto dataset = tiny_files().first(4);
  dataset.samples[1].path = folder() / "small.png";
  image::write_png(dataset.samples[1].path, testing::tiny_image(9, 20));
  const auto e = evaluate(model(), "m", dataset, {fgsm()})[0];
  EXPECT_TRUE(std::isnan(e.images[1].ssim));
  EXPECT_TRUE(std::isfinite(e.images[1].psnr));
  EXPECT_TRUE(std::isfinite(e.attacked->mean_ssim));
}

TEST_F(Evaluate, TellsImagesThatTheSourceWasTrainedOn) {
  const auto loaded = model();
  checkpoint::Provenance provenance;
  provenance.training_images = {data::pixel_digest(tiny_images(2)[1])};
  const auto source = (folder() / "source.safetensors").string();
  checkpoint::save_model(source, loaded.scorer, provenance);
  const attacks::AttackOptions transfer = {.attack = {"transfer", {{"source", source}, {"attack", "fgsm"}}},
                                           .epsilon = 2.0 / 255.0};
  ::testing::internal::CaptureStderr();
  const auto evaluations = evaluate(loaded, "m", tiny_files().first(4), {transfer, fgsm()});
  const auto err = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(err.find("1 of the 4 attacked images"), std::string::npos) << err;
  EXPECT_EQ(evaluations[0].attacked->own_training_images, 1);
  EXPECT_EQ(evaluations[1].attacked->own_training_images, 0);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& image = evaluations[0].images[i];
    EXPECT_EQ(image.own_training_image, i == 1);
    EXPECT_EQ(image_result_from(to_json(image, /*attacked=*/true)).own_training_image, i == 1);
  }
}

TEST_F(Evaluate, TheAuthorsCropProtocolHasOneResultForAnImage) {
  auto crops = fgsm();
  crops.unit = attacks::Unit::kCrop;
  const auto e = evaluate(model(), "m", tiny_files().first(4), {crops})[0];
  for (const auto& image : e.images) {
    EXPECT_NE(image.attacked, image.clean);
    EXPECT_GT(image.psnr, 40);  // two levels of 255 give at least 42 dB
    EXPECT_LT(image.psnr, 60);
  }
  EXPECT_EQ(e.attack->unit, "crop");
}

TEST_F(Evaluate, AnImageThatCannotBeReadIsAnErrorThatNamesIt) {
  auto dataset = tiny_files().first(4);
  dataset.samples[2].path = folder() / "absent.png";
  const auto message =
      error_message(ErrorKind::kInput, [&] { static_cast<void>(evaluate(model(), "m", dataset, {fgsm()})); });
  EXPECT_NE(message.find("absent.png"), std::string::npos) << message;
}

}  // namespace
}  // namespace steadyiqa::evaluation
