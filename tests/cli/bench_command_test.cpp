// bench as a user runs it.
#include "cli/model_folder.h"
#include "cli/run_here.h"
#include "parallel/runtime.h"
#include "scoring/tiny_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace steadyiqa::cli {
namespace {

using ::steadyiqa::testing::run_here;
using ::steadyiqa::testing::tiny_files;
using ::testing::HasSubstr;

class Bench : public ::steadyiqa::testing::ModelFolder {
 protected:
  [[nodiscard]] nlohmann::json json_of(std::vector<std::string> arguments) const {
    const std::vector<std::string> common = {"--json", "--repeats", "1", "--threads", "1"};
    arguments.insert(arguments.begin(), "bench");
    arguments.insert(arguments.end(), common.begin(), common.end());
    const auto outcome = run_here(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  }
};

/// Of the one image that `score --csv` wrote.
double score_in(const std::string& csv) {
  const auto row = csv.substr(csv.find('\n') + 1);
  return std::stod(row.substr(row.find(',') + 1));
}

constexpr double kRounding = 1e-5;  // points: bench calibrates in float32, score in float64

TEST_F(Bench, ScoresAreThoseOfScore) {
  const auto image = tiny_files().dataset().samples.front().path.string();
  const auto json = json_of({"score", "--model", model(), image});
  const auto scored = run_here({"score", "--model", model(), "--threads", "1", "--quiet", "--csv", image});
  EXPECT_NEAR(score_in(scored.out), json["result"]["images"][0]["score"].get<double>(), kRounding);
  EXPECT_GT(json["machine"]["peak_fp32_gflops"].get<double>(), 0);
  EXPECT_GT(json["result"]["network"]["share_of_peak"].get<double>(), 0);
}

TEST_F(Bench, PrecisionOfBenchIsThatOfScore) {
  const auto image = tiny_files().dataset().samples.front().path.string();
  const std::vector<std::string> arguments = {"score",   "--model", model(),       "--threads", "1",
                                              "--quiet", "--csv",   "--precision", "bfloat16",  image};
  const auto scored = run_here(arguments);
  if (!parallel::multiplies_bfloat16()) {
    EXPECT_EQ(scored.exit_code, 1);
    EXPECT_THAT(scored.err, HasSubstr("does not multiply it"));
    return;
  }
  const auto json = json_of({"score", "--model", model(), "--precision", "bfloat16", image});
  EXPECT_NEAR(score_in(scored.out), json["result"]["images"][0]["score"].get<double>(), kRounding);
  EXPECT_EQ(json["machine"]["precision"], "bfloat16");
  const auto in_float32 = json_of({"score", "--model", model(), image});
  const double moved =
      json["result"]["images"][0]["score"].get<double>() - in_float32["result"]["images"][0]["score"].get<double>();
  EXPECT_NE(moved, 0);
  EXPECT_LT(std::abs(moved), 3);  // points of 100: roundings of 1 part in 512 and a few layers
}

TEST_F(Bench, AnUnknownPrecisionIsAUsageError) {
  const auto outcome = run_here(
      {"score", "--model", model(), "--precision", "half", tiny_files().dataset().samples.front().path.string()});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("precision 'half'"));
}

TEST_F(Bench, AttackMovesTheScoreAndCountsItsCalls) {
  const auto result = json_of({"attack", "--model", model(), "--attack", "fgsm", "--eps", "4/255", "--direction", "up",
                               tiny_files().dataset().samples.front().path.string()})["result"];
  EXPECT_GT(result["images"][0]["attacked"].get<double>(), result["images"][0]["score"].get<double>());
  EXPECT_GE(result["model_calls_per_image"].get<double>(), 1);
}

TEST_F(Bench, UnreadableImageAndSeveralBudgetsAreErrors) {
  EXPECT_EQ(run_here({"bench", "decode", folder() / "none.png"}).exit_code, 2);
  EXPECT_EQ(run_here({"bench", "attack", "--model", model(), "--attack", "fgsm", "--eps", "2/255", "--eps", "4/255",
                      tiny_files().dataset().samples.front().path.string()})
                .exit_code,
            1);
}

}  // namespace
}  // namespace steadyiqa::cli
