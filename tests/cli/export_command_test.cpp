// The export verb as a user sees it.
#include "attacks/tiny_scorer.h"
#include "base/digest.h"
#include "base/temp_folder.h"
#include "checkpoint/model_file.h"
#include "cli/model_folder.h"
#include "cli/run_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace steadyiqa::cli {
namespace {

using ::steadyiqa::testing::run_program;
using ::testing::HasSubstr;

class ExportCommand : public ::steadyiqa::testing::ModelFolder {
 protected:
  [[nodiscard]] std::string out() const { return folder() / "model.onnx"; }
};

TEST_F(ExportCommand, WritesTheFileAndSaysWhatItTakes) {
  const auto outcome = run_program(folder(), {"export", model(), out(), "--json", "--size", "64x80", "--threads", "1"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("model").at("sha256"), sha256_file(model()));
  const auto& written = json.at("out");
  EXPECT_EQ(written.at("sha256"), sha256_file(out()));
  EXPECT_EQ(written.at("bytes"), std::filesystem::file_size(out()));
  EXPECT_EQ(written.at("input").at("shape"), "[N,3,64,80]");
  EXPECT_EQ(written.at("metadata").at("steadyiqa.model_sha256"), sha256_file(model()));
  EXPECT_EQ(written.at("metadata").at("steadyiqa.version"), json.at("version"));
}

TEST_F(ExportCommand, AWrongCommandLineWritesNothing) {
  const auto expect_usage_error = [&](std::vector<std::string> arguments, const std::string& part) {
    arguments.insert(arguments.begin(), "export");
    const auto outcome = run_program(folder(), arguments);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.err_lines().size(), 1U) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(part));
  };
  expect_usage_error({model(), folder() / "model.pt"}, "must end in .onnx");
  expect_usage_error({model(), out(), "--batch", "0"}, "--batch 0");
  expect_usage_error({model(), out(), "--batch", "1.5"}, "--batch 1.5");
  expect_usage_error({model(), out(), "--size", "64"}, "--size 64");
  EXPECT_FALSE(std::filesystem::exists(out()));
}

}  // namespace
}  // namespace steadyiqa::cli
