#include "scoring/score_set.h"

#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "scoring/tiny_files.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>

namespace steadyiqa::scoring {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::raw_score;
using ::steadyiqa::testing::tiny_files;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_scorer;

class ScoreSet : public ::steadyiqa::testing::TempFolder {};

TEST_F(ScoreSet, RawScoresAreThoseOfEachImageAlone) {
  const auto scorer = tiny_scorer();
  const auto& dataset = tiny_files().dataset();
  scorer.network().train();  // as in the middle of training
  const auto scores = raw_scores(scorer, dataset, "test");
  EXPECT_TRUE(scorer.network().is_training());
  scorer.network().eval();
  const auto images = tiny_images(dataset.samples.size());
  ASSERT_EQ(scores.size(), images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    EXPECT_EQ(scores[i], raw_score(scorer, images[i])) << dataset.samples[i].name;
  }
}

TEST_F(ScoreSet, VisitsInOrderAndGivesTheReasonForABadImage) {
  write_file_atomic(folder() / "bad.png", "no image");
  const auto& samples = tiny_files().dataset().samples;
  const std::vector<std::filesystem::path> paths = {samples[1].path, folder() / "bad.png", folder() / "absent.png",
                                                    samples[0].path};
  std::vector<std::string> seen;
  for_each_image(paths, image::Orientation::kApplied, "test", [&](std::int64_t i, const Result<torch::Tensor>& pixels) {
    EXPECT_EQ(i, static_cast<std::int64_t>(seen.size()));
    seen.push_back(pixels ? "" : pixels.error());
    if (pixels) {
      EXPECT_TRUE(torch::equal(pixels.value(), tiny_images(2)[i == 0 ? 1 : 0]));
    }
  });
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[0] + seen[3], "");
  EXPECT_NE(seen[1].find("bad.png"), std::string::npos) << seen[1];
  EXPECT_NE(seen[2].find("absent.png"), std::string::npos) << seen[2];
}

TEST_F(ScoreSet, AnImageWithoutAScoreIsAnErrorThatNamesIt) {
  auto dataset = tiny_files().dataset();
  dataset.samples[2].path = folder() / "absent.png";
  const auto missing =
      error_message(ErrorKind::kInput, [&] { static_cast<void>(raw_scores(tiny_scorer(), dataset, "test")); });
  EXPECT_NE(missing.find("absent.png"), std::string::npos) << missing;

  const auto scorer = tiny_scorer(std::numeric_limits<double>::quiet_NaN());
  const auto nan = error_message(ErrorKind::kNumeric,
                                 [&] { static_cast<void>(raw_scores(scorer, tiny_files().dataset(), "test")); });
  EXPECT_NE(nan.find(dataset.samples[0].name), std::string::npos) << nan;
}

TEST_F(ScoreSet, LabelsComeOnTheCommonScale) {
  auto dataset = tiny_files().dataset();
  dataset.samples.resize(2);
  dataset.samples[0].mos = 1;
  dataset.samples[1].mos = 4;
  dataset.scale = {.min = 1, .max = 5, .direction = data::Direction::kLowerIsBetter, .name = "DMOS"};
  EXPECT_EQ(mos_0_100(dataset), (std::vector<double>{100, 25}));
}

TEST_F(ScoreSet, ScaleIsTheLeastSquaresLineOfTheTrainingSet) {
  const auto scorer = tiny_scorer();
  const auto& dataset = tiny_files().dataset();
  const auto scale = fit_scale(scorer, dataset, 1000);
  EXPECT_TRUE(scale.calibrated);
  EXPECT_EQ(scale.name, "MOS 0-100 of manifest");
  // The normal equations of least squares: residuals sum to 0 and are orthogonal to the scores.
  const auto raw = raw_scores(scorer, dataset, "test");
  double sum = 0;
  double product = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const double residual = scale.calibration(raw[i]) - dataset.samples[i].mos;
    sum += residual;
    product += residual * raw[i];
  }
  EXPECT_NEAR(sum, 0, 1e-6);
  EXPECT_NEAR(product, 0, 1e-6);
  EXPECT_NE(scale.calibration.slope, 0);
}

TEST_F(ScoreSet, ALimitTakesEvenlySpacedImages) {
  const auto scorer = tiny_scorer();
  const auto& dataset = tiny_files().dataset();
  auto part = dataset;
  part.samples = {dataset.samples[0], dataset.samples[6], dataset.samples[12], dataset.samples[18]};
  const auto limited = fit_scale(scorer, dataset, 4);
  const auto expected = fit_scale(scorer, part, 1000);
  EXPECT_EQ(limited.calibration.slope, expected.calibration.slope);
  EXPECT_EQ(limited.calibration.intercept, expected.calibration.intercept);
}

}  // namespace
}  // namespace steadyiqa::scoring
