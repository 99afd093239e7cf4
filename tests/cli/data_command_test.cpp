// `steadyiqa data check` as a user sees it.
#include "base/file.h"
#include "base/temp_folder.h"
#include "cli/cli.h"
#include "cli/run_here.h"
#include "scoring/tiny_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace steadyiqa::cli {
namespace {

using ::steadyiqa::testing::Outcome;
using ::steadyiqa::testing::run_here;
using ::steadyiqa::testing::tiny_files;
using ::testing::HasSubstr;

class DataCommand : public ::steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] static Outcome check(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"data", "check", "--quiet"});
    return run_here(arguments);
  }
  /// A manifest of one good image and of `rows`.
  [[nodiscard]] std::string manifest(const std::string& rows) const {
    image::write_png(folder() / "good.png", testing::tiny_set().images.at(0));
    write_file_atomic(folder() / "list.csv", "image,mos,set\ngood.png,30,train\n" + rows);
    return folder() / "list.csv";
  }
};

TEST_F(DataCommand, DescribesAHealthySet) {
  const auto outcome = check({tiny_files().manifest()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* part : {"0 missing", "0 failed", "higher is better", "100 * (label - 0) / (100 - 0)", "#"}) {
    EXPECT_THAT(outcome.out, HasSubstr(part));
  }
  const auto lines = outcome.out_lines();
  EXPECT_TRUE(std::all_of(lines.begin(), lines.end(), [](const auto& line) { return line.size() <= 100; }));
}

TEST_F(DataCommand, ImagesThatFailGiveExitCodeFour) {
  const auto missing = check({manifest("gone.png,40,test\n")});
  EXPECT_EQ(missing.exit_code, 4);
  EXPECT_THAT(missing.out, HasSubstr("gone.png"));
  write_file_atomic(folder() / "broken.png", "no image");
  const auto broken = check({manifest("broken.png,40,validation\n"), "--json"});
  EXPECT_EQ(broken.exit_code, 4);
  const auto json = nlohmann::json::parse(broken.out);
  EXPECT_EQ(json.at("command"), "data check");
  EXPECT_EQ(json.at("check").at("failures").at(0).at("image"), "broken.png");
  EXPECT_EQ(json.at("check").at("sets"), nlohmann::json({{"train", 1}, {"val", 1}}));
  EXPECT_EQ(json.at("data_digest").get<std::string>().size(), 64U);
}

TEST_F(DataCommand, AWrongLayoutGivesExitCodeTwo) {
  const auto outcome = check({fmt::format("koniq:{}", folder().string())});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("no KonIQ-10k here: it has no 1024x768 or 512x384"));
  EXPECT_EQ(check({fmt::format("konik:{}", folder().string())}).exit_code, 1);
}

TEST_F(DataCommand, OpensASampleUnlessAskedForAll) {
  std::string rows;
  for (int i = 0; i < 60; ++i) {
    const auto name = fmt::format("{}.png", i);
    image::write_png(folder() / name, testing::tiny_set().images.at(0));
    rows += name + ",50,test\n";
  }
  const auto list = manifest(rows);
  const auto opened = [&](const std::vector<std::string>& arguments) {
    return nlohmann::json::parse(check(arguments).out).at("check").at("decoded").get<int>();
  };
  EXPECT_EQ(opened({list, "--json"}), 48);
  EXPECT_EQ(opened({list, "--json", "--all"}), 61);
}

TEST_F(DataCommand, SplitsAreShown) {
  write_file_atomic(folder() / "split.csv", "image,set\ngood.png,validation\n");
  EXPECT_THAT(check({manifest(""), "--split", folder() / "split.csv"}).out, HasSubstr("1 val"));
}

TEST_F(DataCommand, WrongWordsAreUsageErrors) {
  EXPECT_EQ(run_here({"data"}).exit_code, 1);
  const auto verb = run_here({"data", "chek", "x.csv"});
  EXPECT_EQ(verb.exit_code, 1);
  EXPECT_THAT(verb.err, HasSubstr("did you mean 'check'?"));
  const auto flag = run_here({"data", "check", "x.csv", "--al"});
  EXPECT_EQ(flag.exit_code, 1);
  EXPECT_THAT(flag.err, HasSubstr("did you mean '--all'?"));
}

TEST_F(DataCommand, HelpListsTheReadersAndTheirOptions) {
  const auto help = run_here({"data", "check", "--help"}).out;
  for (const char* part : {"livec", "koniq", "pipal", "labels=mos_zscore|mos|mos_100"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
}

}  // namespace
}  // namespace steadyiqa::cli
