// evaluate --store, results, report and gate as a user runs them.
#include "base/file.h"
#include "cli/model_folder.h"
#include "cli/run_here.h"
#include "evaluation/result_store.h"
#include "places.h"
#include "scoring/tiny_files.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace steadyiqa::cli {
namespace {

using ::steadyiqa::testing::Outcome;
using ::steadyiqa::testing::run_here;
using ::steadyiqa::testing::tiny_files;

class StoreCommands : public ::steadyiqa::testing::ModelFolder {
 protected:
  [[nodiscard]] std::string at(const std::string& name) const { return folder() / name; }
  [[nodiscard]] Outcome on_data(std::vector<std::string> arguments) const {
    const std::vector<std::string> common = {
        "--data", tiny_files().manifest(), "--model", model(), "--set", "all", "--threads", "1", "--quiet"};
    arguments.insert(arguments.end(), common.begin(), common.end());
    return run_here(arguments);
  }
  /// A short protocol of the test's own.
  [[nodiscard]] std::string protocol() const {
    write_file_atomic(at("mine.toml"),
                      "name = \"mine\"\nbounds = [\"1/255\"]\n[[attack]]\nattack = \"fgsm\"\neps = [\"1/255\", "
                      "\"2/255\"]\ndirection = [\"mid\"]\n");
    return at("mine.toml");
  }
  void fill(const std::string& store, const std::string& shard = "1/1") const {
    const auto outcome = on_data({"evaluate", "--protocol", protocol(), "--store", at(store), "--shard", shard});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
};

TEST_F(StoreCommands, EvaluateNamesProtocolAndDigest) {
  const auto outcome = on_data({"evaluate", "--protocol", protocol(), "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("evaluations").at(0).at("protocol").at("name"), "mine");
  EXPECT_EQ(json.at("evaluations").at(0).at("protocol").at("digest"), json.at("config").at("protocol_digest"));
  EXPECT_EQ(json.at("evaluations").size(), 2U);
}

TEST_F(StoreCommands, AProtocolCannotBeChangedByFlags) {
  for (const auto& extra : std::vector<std::vector<std::string>>{
           {"--attack", "fgsm", "--eps", "1/255"}, {"--limit", "5"}, {"--crops", "centre"}, {"--masking", "2"}}) {
    std::vector<std::string> arguments = {"evaluate", "--protocol", "smoke"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    const auto outcome = on_data(arguments);
    EXPECT_EQ(outcome.exit_code, 1) << extra[0];
    EXPECT_NE(outcome.err.find("smoke"), std::string::npos) << outcome.err;
  }
}

TEST_F(StoreCommands, ShardsMeetInAMergedStore) {
  fill("a.sqlite", "1/2");
  fill("b.sqlite", "2/2");
  fill("whole.sqlite");
  const auto list = run_here({"results", "list", at("a.sqlite"), "--json"});
  EXPECT_EQ(nlohmann::json::parse(list.out).at("plans").at(0).at("images_done"), 12);
  ASSERT_EQ(run_here({"results", "merge", at("both.sqlite"), at("a.sqlite"), at("b.sqlite")}).exit_code, 0);
  const auto merged = run_here({"results", "export", at("both.sqlite")});
  EXPECT_EQ(merged.exit_code, 0);
  EXPECT_EQ(merged.out, run_here({"results", "export", at("whole.sqlite")}).out);
  EXPECT_NE(run_here({"results", "show", at("a.sqlite")}).out.find("NOT FINISHED"), std::string::npos);
  EXPECT_EQ(run_here({"results", "show", at("both.sqlite")}).out.find("NOT FINISHED"), std::string::npos);
}

TEST_F(StoreCommands, ShowComputesWhatEvaluatePrints) {
  const auto direct = on_data({"evaluate", "--protocol", protocol(), "--store", at("r.sqlite")});
  EXPECT_EQ(run_here({"results", "show", at("r.sqlite")}).out, direct.out);
}

TEST_F(StoreCommands, ReportsInEveryFormatFromTheStoreAlone) {
  fill("r.sqlite");
  std::filesystem::remove(model());
  for (const char* name : {"r.html", "r.md", "r.csv", "r.tex", "r.json"}) {
    const auto outcome = run_here({"report", at("r.sqlite"), "--out", at(name), "--resamples", "100"});
    ASSERT_EQ(outcome.exit_code, 0) << name << outcome.err;
    EXPECT_NE(outcome.out.find("clean SROCC"), std::string::npos) << outcome.out;
    EXPECT_GT(std::filesystem::file_size(at(name)), 300U) << name;
  }
  const auto json = nlohmann::json::parse(read_text_file(at("r.json")));
  EXPECT_EQ(json.at("models").at(0).at("attacks").size(), 2U);
  EXPECT_EQ(json.at("models").at(0).at("theory").at(0).at("images"), 24);
  EXPECT_EQ(json.at("models").at(0).at("curves").at(0).at("points").size(), 2U);
  EXPECT_EQ(json.at("images").size(), 24U);
  EXPECT_NE(read_text_file(at("r.html")).find("data:image/png;base64,"), std::string::npos);
  EXPECT_EQ(run_here({"report", at("r.sqlite"), "--out", at("r.doc")}).exit_code, 1);
  EXPECT_EQ(run_here({"report", at("none.sqlite")}).exit_code, 2);
}

TEST_F(StoreCommands, OtherCodeComputesEveryNumberOfTheReportFromTheStore) {
  fill("r.sqlite");
  ASSERT_EQ(run_here({"report", at("r.sqlite"), "--out", at("r.json"), "--resamples", "100"}).exit_code, 0);
  const auto script = testing::repository() / "tests" / "report" / "recompute.py";
  const auto command =
      fmt::format("python3 '{}' '{}' '{}' > '{}' 2>&1", script.string(), at("r.sqlite"), at("r.json"), at("out.txt"));
  EXPECT_EQ(std::system(command.c_str()), 0) << read_text_file(at("out.txt"));
  // And it would notice: one row changed after the report was made.
  evaluation::ResultStore store(at("r.sqlite"));
  store.database().execute(
      "UPDATE attacked SET attacked = attacked + 1 WHERE image = (SELECT min(image) FROM attacked)");
  EXPECT_NE(std::system(command.c_str()), 0);
}

TEST_F(StoreCommands, TheReportPageWorksInABrowser) {
  const auto modules = testing::repository() / "build" / "npm" / "node_modules";
  if (!std::filesystem::exists(modules / "playwright-core") || !std::filesystem::exists("/usr/bin/chromium")) {
    GTEST_SKIP() << "playwright-core or chromium is not installed (./check does it)";
  }
  fill("r.sqlite");
  ASSERT_EQ(run_here({"report", at("r.sqlite"), "--out", at("r.html"), "--resamples", "100"}).exit_code, 0);
  const auto script = testing::repository() / "tests" / "report" / "browser" / "report_test.mjs";
  // Time is for people to look at: a test on a busy machine has none.
  const auto command = fmt::format("STEADYIQA_SLOW_MACHINE=1 node '{}' '{}' '{}' > '{}' 2>&1", script.string(),
                                   modules.string(), at("r.html"), at("out.txt"));
  const int status = std::system(command.c_str());
  constexpr int kNoBrowser = 77;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoBrowser) {
    GTEST_SKIP() << read_text_file(at("out.txt"));
  }
  EXPECT_EQ(status, 0) << read_text_file(at("out.txt"));
}

TEST_F(StoreCommands, GateSaysYesOrNoByItsExitStatus) {
  fill("r.sqlite");
  const auto gate = [&](const std::string& limit) {
    return on_data({"gate", "--protocol", protocol(), "--store", at("r.sqlite"), "--at", "2/255", "--max-change", limit,
                    "--junit", at("gate.xml")});
  };
  const auto pass = gate("1000");
  EXPECT_EQ(pass.exit_code, 0) << pass.err;
  EXPECT_TRUE(pass.out.starts_with("PASS: ")) << pass.out;
  const auto fail = gate("1e-9");
  EXPECT_EQ(fail.exit_code, 3) << fail.err;
  EXPECT_TRUE(fail.out.starts_with("FAIL: ")) << fail.out;
  EXPECT_EQ(std::count(fail.out.begin(), fail.out.end(), '\n'), 1);
  const auto xml = read_text_file(at("gate.xml"));
  EXPECT_NE(xml.find("failures=\"1\""), std::string::npos) << xml;
  EXPECT_EQ(on_data({"gate", "--protocol", protocol(), "--at", "8/255", "--max-change", "1"}).exit_code, 1);
}

}  // namespace
}  // namespace steadyiqa::cli
