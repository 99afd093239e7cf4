// steadyiqa-score, the program that scores without libtorch, beside steadyiqa score.
#include "base/file.h"
#include "cli/model_folder.h"
#include "cli/run_here.h"
#include "image/noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>

namespace steadyiqa::cli {
namespace {

using ::steadyiqa::testing::Outcome;
using ::steadyiqa::testing::run_here;
using ::testing::HasSubstr;
using ::testing::Not;

class ScoreProgram : public ::steadyiqa::testing::ModelFolder {
 protected:
  void SetUp() override {
    ModelFolder::SetUp();
    ASSERT_EQ(run_here({"export", model(), exported(), "--quiet"}).exit_code, 0);
    image::write_png(folder() / "photos" / "large.png", image::scene(90, 70));
    image::write_png(folder() / "photos" / "small.png", image::scene(20, 25));
  }
  [[nodiscard]] std::string exported() const { return folder() / "model.onnx"; }
  [[nodiscard]] std::string photos() const { return folder() / "photos"; }
  [[nodiscard]] Outcome score(const std::vector<std::string>& arguments) const {
    return ::steadyiqa::testing::run_program(folder(), arguments, "", ::steadyiqa::testing::score_program());
  }
};

TEST_F(ScoreProgram, ScoresAsTheModelFileDoes) {
  const auto ours = score({photos(), "--model", exported(), "--json"});
  const auto expected = run_here({"score", photos(), "--model", model(), "--json", "--quiet"});
  ASSERT_EQ(ours.exit_code, 0) << ours.err;
  ASSERT_EQ(ours.out_lines().size(), 3U);
  ASSERT_EQ(expected.out_lines().size(), 3U);
  const auto head = nlohmann::json::parse(ours.out_lines()[0]);
  const auto expected_head = nlohmann::json::parse(expected.out_lines()[0]);
  EXPECT_EQ(head.at("tool"), "steadyiqa-score");
  EXPECT_EQ(head.at("model").at("sha256_of_exported"), expected_head.at("model").at("sha256"));
  EXPECT_EQ(head.at("model").at("score"), expected_head.at("model").at("score"));
  EXPECT_EQ(head.at("config").at("crops"), expected_head.at("config").at("crops"));
  for (const std::size_t i : {1, 2}) {
    const auto line = nlohmann::json::parse(ours.out_lines()[i]);
    const auto other = nlohmann::json::parse(expected.out_lines()[i]);
    EXPECT_EQ(line.at("image"), other.at("image"));
    EXPECT_NEAR(line.at("score").get<double>(), other.at("score").get<double>(), 1e-3);
    EXPECT_NEAR(line.at("raw_score").get<double>(), other.at("raw_score").get<double>(), 1e-4);
  }
}

TEST_F(ScoreProgram, AnImageThatCannotBeReadHasNoScore) {
  write_file_atomic(folder() / "photos" / "broken.png", "no image");
  const auto outcome = score({photos(), "--model", exported(), "--csv", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 4);
  ASSERT_EQ(outcome.out_lines().size(), 4U);
  EXPECT_EQ(outcome.out_lines()[0], "image,score,raw_score,error");
  EXPECT_THAT(outcome.out_lines()[1], HasSubstr("broken.png,,,"));
  EXPECT_THAT(outcome.err, HasSubstr("1 of 3 images could not be scored"));
}

TEST_F(ScoreProgram, ErrorsAreOneLineAndACode) {
  const auto expect_error = [](const Outcome& outcome, int code, const std::string& part) {
    EXPECT_EQ(outcome.exit_code, code);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err_lines().size(), 1U) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(part));
  };
  expect_error(score({photos()}), 1, "--model is required");
  expect_error(score({photos(), "--model", exported(), "--precision", "float16"}), 1, "float16");
  expect_error(score({photos(), "--model", folder() / "none.onnx"}), 2, "none.onnx");
  expect_error(score({photos(), "--model", model()}), 2, "`steadyiqa export` makes one");
  expect_error(run_here({"score", photos(), "--model", exported()}), 2, "an exported model is for steadyiqa-score");
}

TEST_F(ScoreProgram, AProcessorWithoutBfloat16RefusesIt) {
  setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);  // for oneDNN in the program
  const auto outcome = score({photos(), "--model", exported(), "--precision", "bfloat16"});
  unsetenv("DNNL_MAX_CPU_ISA");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("does not multiply it"));
}

// What makes it quick to start.
TEST_F(ScoreProgram, LoadsNoLibtorch) {
  EXPECT_THAT(read_text_file(::steadyiqa::testing::program()), HasSubstr("libtorch"));
  EXPECT_THAT(read_text_file(::steadyiqa::testing::score_program()), Not(HasSubstr("libtorch")));
}

}  // namespace
}  // namespace steadyiqa::cli
