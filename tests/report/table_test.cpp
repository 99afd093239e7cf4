#include "report/table.h"

#include "base/expect_error.h"
#include "report/evaluations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace steadyiqa::report {
namespace {

using evaluation::Evaluation;
using steadyiqa::testing::error_message;
using testing::attacked_evaluation;
using testing::clean_evaluation;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Baseline and NT under FGSM.
std::vector<Evaluation> two_models() {
  std::vector<Evaluation> e = {attacked_evaluation("runs/baseline.safetensors", 0.312, 1.2902),
                               attacked_evaluation("runs/nt.safetensors", 0.7104, 0.3101)};
  e[1].model_sha256 = "fedcba";
  e[1].clean.srocc = 0.8412;
  e[1].mean_gradient_l1 = 401.2;
  e[1].attacked->with_mos.rmse = 14.2;
  return e;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    out.push_back(line);
  }
  return out;
}

std::size_t code_points(const std::string& line) {
  std::size_t count = 0;
  for (const char c : line) {
    count += (static_cast<unsigned char>(c) & 0xC0U) == 0x80U ? 0 : 1;
  }
  return count;
}

void expect_narrow(const std::string& table, std::size_t width) {
  for (const auto& line : lines(table)) {
    EXPECT_LE(code_points(line), width) << line;
  }
}

/// The words of the `skip`-th following line that contains `part`, without the vertical lines.
std::string words(const std::string& table, const std::string& part, std::size_t skip = 0) {
  for (const auto& line : lines(table)) {
    if (line.find(part) != std::string::npos && skip-- == 0) {
      std::istringstream stream(line);
      std::string out;
      for (std::string word; stream >> word;) {
        out += word == "│" ? "" : (out.empty() ? "" : " ") + word;
      }
      return out;
    }
  }
  return "";
}

TEST(EvaluationTable, ShowsEveryMeasureOfEachModel) {
  const std::string table = evaluation_table(two_models());
  EXPECT_EQ(words(table, "│ baseline", 0), "baseline 0.8533 0.8701 0.6602 11.23 17.25 2512.4");
  EXPECT_EQ(words(table, "│ baseline", 1), "baseline 0.3120 0.3510 0.2314 31.12 26.50 0.4110 25.31 1.290");
  EXPECT_EQ(words(table, "│ baseline", 2), "baseline 0.612 0.266 22.26 40.12 1.290 46.23 0.9934");
  EXPECT_EQ(words(table, "│ nt", 1), "nt 0.7104 0.3510 0.2314 14.20 26.50 0.4110 25.31 0.310");
}

TEST(EvaluationTable, HeadsSayWhichDirectionIsBetter) {
  const std::string table = evaluation_table(two_models());
  EXPECT_EQ(words(table, "│ model", 1), "model SROCC↑ PLCC↑ KROCC↑ RMSE↓ MAE↓ SROCC↑ RMSE↓ /spread↓");
  EXPECT_EQ(words(table, "│ model", 2), "model ln↑ log10↑ mean↓ p95↓ /spread↓ PSNR dB SSIM");
}

TEST(EvaluationTable, DeltaIsSignedAgainstTheFirstModel) {
  const std::string table = evaluation_table(two_models());
  EXPECT_EQ(words(table, "Δ vs first", 0), "Δ vs first -0.0121 0.0000 0.0000 0.00 0.00 -2111.2");
  EXPECT_EQ(words(table, "Δ vs first", 1), "Δ vs first +0.3984 0.0000 0.0000 -16.92 0.00 0.0000 0.00 -0.980");
  EXPECT_EQ(words(table, "Δ vs first", 3), "");
}

TEST(EvaluationTable, OneModelHasNoDelta) {
  const std::vector<Evaluation> one = {clean_evaluation("runs/baseline.safetensors")};
  EXPECT_THAT(evaluation_table(one), Not(HasSubstr("Δ")));
}

TEST(EvaluationTable, HeadingStatesTheAttack) {
  EXPECT_THAT(evaluation_table(two_models()),
              HasSubstr("fgsm · eps 0.005px (1/255 after rounding) · direction mid · unit image · judged after"));
  EXPECT_EQ(epsilon_text({.name = "", .epsilon = 4 / 255.0, .levels = 4, .direction = "", .unit = ""}),
            "4/255 (0.01569px)");
}

TEST(EvaluationTable, NaNAndAMissingAttackAreDashes) {
  auto evaluations = two_models();
  evaluations[1].attacked->with_mos.srocc = kNaN;
  EXPECT_EQ(words(evaluation_table(evaluations), "│ nt", 1), "nt - 0.3510 0.2314 14.20 26.50 0.4110 25.31 0.310");
  EXPECT_THAT(words(evaluation_table(evaluations), "Δ vs first", 1), HasSubstr("first - 0.0000"));
  evaluations[1].attack.reset();
  evaluations[1].attacked.reset();
  EXPECT_EQ(words(evaluation_table(evaluations), "│ nt", 1), "nt - - - - - - - -");
  EXPECT_THAT(evaluation_table(evaluations), Not(HasSubstr("nan")));
}

TEST(EvaluationTable, FooterStatesCalibrationDataAndDevice) {
  auto evaluations = two_models();
  const std::string calibrated = evaluation_table(evaluations);
  EXPECT_THAT(calibrated, HasSubstr("scores calibrated to 0-100 on the training set"));
  EXPECT_THAT(calibrated, HasSubstr("data: livec test, 3 images; device cpu, float32"));
  EXPECT_THAT(calibrated, HasSubstr("crops: 25 crops of 224, mean"));
  EXPECT_THAT(calibrated, Not(HasSubstr("NOT calibrated")));
  evaluations[1].calibrated = false;
  EXPECT_THAT(evaluation_table(evaluations), HasSubstr("!!! NOT calibrated (nt)"));
}

TEST(EvaluationTable, SameFileNamesAreToldApart) {
  auto evaluations = two_models();
  evaluations[0].model_path = "a/model.safetensors";
  evaluations[1].model_path = "b/model.safetensors";
  EXPECT_EQ(words(evaluation_table(evaluations), "│ b/model", 0).substr(0, 14), "b/model 0.8412");
  evaluations[1].model_path = "a/model.safetensors";
  EXPECT_EQ(words(evaluation_table(evaluations), "│ 2 a/model", 0).substr(0, 16), "2 a/model 0.8412");
}

TEST(EvaluationTable, NeverWiderThanItsLimit) {
  auto evaluations = two_models();
  expect_narrow(evaluation_table(evaluations), kTableWidth);
  auto& hostile = evaluations[1];
  hostile.model_path = "x/" + std::string(300, 'm') + "ü\x1b[31m\n.safetensors";
  hostile.crops = std::string(250, 'c');
  hostile.attack->direction = std::string(120, 'd') + " " + std::string(90, 'e');
  hostile.attacked->with_mos = {-1.5e300, -2e-300, 1e9, -1e5, 99998.994, std::numeric_limits<double>::infinity()};
  hostile.clean = hostile.attacked->with_mos;
  hostile.attacked->change = {1e9, 1e9, 1e9, 1e9, 1e9};
  const std::string table = evaluation_table(evaluations);
  expect_narrow(table, kTableWidth);
  EXPECT_THAT(table, Not(HasSubstr("\x1b")));
  EXPECT_THAT(words(table, "│ mmm", 0), HasSubstr("-1.5e+300"));
}

TEST(EvaluationTable, SaysHowEachModelsPurificationWasAttacked) {
  auto evaluations = two_models();
  EXPECT_THAT(evaluation_table(evaluations), Not(HasSubstr("adaptive")));
  evaluations[1].adaptive = "BPDA (jpeg)\n, EOT 8 draws";
  const std::string table = evaluation_table(evaluations);
  EXPECT_THAT(table, HasSubstr("\nadaptive to purification: baseline: none needed; nt: BPDA (jpeg)?, EOT 8 draws\n"));
}

TEST(EvaluationTable, OtherImagesOrNoneAreRefused) {
  auto evaluations = two_models();
  evaluations[1].data_digest = "d2";
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { static_cast<void>(evaluation_table(evaluations)); }),
              HasSubstr("'runs/nt.safetensors' was evaluated on other images"));
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { static_cast<void>(evaluation_table({})); }),
              HasSubstr("no evaluation"));
}

TEST(DemoTable, SaysWhoIsBetterAtEachMeasure) {
  const auto e = two_models();
  const std::string table = demo_table({&e[0], 1}, {&e[1], 1});
  EXPECT_EQ(words(table, "SROCC to MOS", 0), "SROCC to MOS ↑ 0.8533 0.8412 -0.0121 ← baseline");
  EXPECT_EQ(words(table, "PLCC to MOS", 0), "PLCC to MOS ↑ 0.8701 0.8701 0.0000 equal");
  EXPECT_EQ(words(table, "gradient"), "gradient l1 norm, points/[0,1]px ↓ 2512.4 401.2 -2111.2 → NT");
  EXPECT_EQ(words(table, "mean score change"), "mean score change, points ↓ 22.26 5.35 -16.91 → NT");
  EXPECT_EQ(words(table, "/ spread"), "score change / spread of scores ↓ 1.290 0.310 -0.980 → NT");
  EXPECT_EQ(words(table, "robustness R"), "robustness R (ln) ↑ 0.612 0.612 0.000 equal");
  EXPECT_EQ(words(table, "RMSE to MOS"), "RMSE to MOS ↓ 31.12 14.20 -16.92 → NT");
  EXPECT_EQ(words(table, "SROCC to MOS", 1), "SROCC to MOS ↑ 0.3120 0.7104 +0.3984 → NT");
  expect_narrow(table, kDemoTableWidth);
}

TEST(DemoTable, ANaNHasNoWinner) {
  auto e = two_models();
  e[1].attacked->with_mos.srocc = kNaN;
  EXPECT_EQ(words(demo_table({&e[0], 1}, {&e[1], 1}), "SROCC to MOS", 1), "SROCC to MOS ↑ 0.3120 - - -");
}

TEST(DemoTable, LinesAreOfOneWidth) {
  const auto e = two_models();
  const auto table = lines(demo_table({&e[0], 1}, {&e[1], 1}));
  int framed = 0;
  for (const auto& line : table) {
    if (line.starts_with("│") || line.starts_with("├")) {
      EXPECT_EQ(code_points(line), code_points(table[0])) << line;
      ++framed;
    }
  }
  EXPECT_EQ(framed, 15);
}

}  // namespace
}  // namespace steadyiqa::report
