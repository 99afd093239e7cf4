// kill -9 and shards in processes of their own, against a run that nothing disturbed.
#include "base/error.h"
#include "base/file.h"
#include "cli/model_folder.h"
#include "cli/run_here.h"
#include "cli/run_program.h"
#include "evaluation/sqlite.h"
#include "scoring/tiny_files.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace steadyiqa::cli {
namespace {

using ::steadyiqa::evaluation::Database;
using ::steadyiqa::testing::Program;
using ::steadyiqa::testing::run_here;
using ::steadyiqa::testing::tiny_files;

class KilledStore : public ::steadyiqa::testing::ModelFolder {
 protected:
  void SetUp() override {
    ModelFolder::SetUp();
    write_file_atomic(at("mine.toml"),
                      "name = \"mine\"\nbounds = [\"1/255\"]\n[[attack]]\nattack = \"ifgsm:steps=4\"\n"
                      "eps = [\"1/255\", \"2/255\"]\ndirection = [\"up\", \"down\"]\n");
  }
  [[nodiscard]] std::string at(const std::string& name) const { return folder() / name; }
  [[nodiscard]] std::vector<std::string> evaluate(const std::string& store, const std::string& shard = "1/1") const {
    return {"evaluate", "--protocol", at("mine.toml"),
            "--store",  at(store),    "--shard",
            shard,      "--data",     tiny_files().manifest(),
            "--model",  model(),      "--set",
            "all",      "--threads",  "1",
            "--quiet"};
  }
  /// Of a store that a process may be about to create.
  [[nodiscard]] std::int64_t rows_in(const std::string& store) const {
    try {
      return std::get<std::int64_t>(
          Database(at(store), Database::Mode::kReadOnly).first("SELECT count(*) FROM attacked"));
    } catch (const Error&) {
      return 0;
    }
  }
  [[nodiscard]] std::string all_rows(const std::string& store) const {
    const auto exported = run_here({"results", "export", at(store)});
    EXPECT_EQ(exported.exit_code, 0) << exported.err;
    return exported.out;
  }
};

TEST_F(KilledStore, FiveTimesEqualsOneRunRowForRow) {
  for (const std::int64_t rows : {1, 14, 33, 52, 80}) {  // of 96, at whatever it does just then
    Program program(folder(), evaluate("killed.sqlite"));
    while (rows_in("killed.sqlite") < rows) {
      ASSERT_TRUE(program.running()) << program.wait().err;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    program.kill_now();
    ASSERT_EQ(program.wait().exit_code, -SIGKILL);
    ASSERT_LT(rows_in("killed.sqlite"), 96);
  }
  ASSERT_EQ(run_here(evaluate("killed.sqlite")).exit_code, 0);
  ASSERT_EQ(run_here(evaluate("whole.sqlite")).exit_code, 0);
  ASSERT_EQ(rows_in("whole.sqlite"), 96);
  EXPECT_EQ(all_rows("killed.sqlite"), all_rows("whole.sqlite"));
}

TEST_F(KilledStore, FourShardsOfTwoProcessesEqualOneRunRowForRow) {
  std::filesystem::create_directory(at("other"));
  for (const auto* pair : {"12", "34"}) {
    Program first(folder(), evaluate(std::string(1, pair[0]) + ".sqlite", std::string(1, pair[0]) + "/4"));
    Program second(at("other"), evaluate(std::string(1, pair[1]) + ".sqlite", std::string(1, pair[1]) + "/4"));
    ASSERT_EQ(first.wait().exit_code, 0);
    ASSERT_EQ(second.wait().exit_code, 0);
  }
  const auto merged =
      run_here({"results", "merge", at("all.sqlite"), at("1.sqlite"), at("2.sqlite"), at("3.sqlite"), at("4.sqlite")});
  ASSERT_EQ(merged.exit_code, 0) << merged.err;
  ASSERT_EQ(run_here(evaluate("whole.sqlite")).exit_code, 0);
  EXPECT_EQ(all_rows("all.sqlite"), all_rows("whole.sqlite"));
}

}  // namespace
}  // namespace steadyiqa::cli
