// bench as a user runs it.
#include "cli/model_folder.h"
#include "cli/run_here.h"
#include "scoring/tiny_files.h"

#include <fmt/format.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

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

TEST_F(Bench, ScoresAreThoseOfScore) {
  const auto image = tiny_files().dataset().samples.front().path.string();
  const auto json = json_of({"score", "--model", model(), image});
  const auto scored = run_here({"score", "--model", model(), "--threads", "1", "--quiet", "--csv", image});
  EXPECT_THAT(scored.out, HasSubstr(fmt::format(",{:.6f},", json["result"]["images"][0]["score"].get<double>())));
  EXPECT_GT(json["machine"]["peak_fp32_gflops"].get<double>(), 0);
  EXPECT_GT(json["result"]["network"]["share_of_peak"].get<double>(), 0);
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
