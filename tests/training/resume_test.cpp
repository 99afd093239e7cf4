// kill -9 and --resume, against a run that nothing disturbed.
#include "base/digest.h"
#include "checkpoint/model_file.h"
#include "cli/run_program.h"
#include "training/tiny_run.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

namespace steadyiqa::training {
namespace {

using ::steadyiqa::testing::Program;
using ::steadyiqa::testing::tiny_files;
using ::steadyiqa::testing::tiny_recipe;

class Resume : public ::steadyiqa::testing::TinyRun {
 protected:
  void SetUp() override {
    TinyRun::SetUp();
    recipe_ = tiny_recipe();
    recipe_.data.crops_per_image = 8;  // 16 steps an epoch
    recipe_.optimiser.weight_decay = 5e-4;
    recipe_.regulariser.regulariser = objective::RegulariserKind::kNt;
    recipe_.regulariser.ramp_epochs = 2;
    recipe_.run.epochs = 4;
    recipe_.run.average = 0.9;
    write_file_atomic(folder() / "recipe.toml", recipe_to_toml(recipe_));
  }

  /// Starts the program on run "killed" and kills it as soon as `now` says so. False when it came to its end before.
  bool kill_when(const std::function<bool()>& now) {
    Program program(folder(), {"train", "--data", tiny_files().manifest(), "--recipe", folder() / "recipe.toml",
                               "--out", run(), "--threads", "1", "--quiet"});
    while (!now()) {
      if (!program.running()) {
        ADD_FAILURE() << program.wait().err;
        return false;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    program.kill_now();
    return program.wait().exit_code == -SIGKILL;
  }

  void expect_same_as_undisturbed() {
    const auto expected = train(recipe_, "undisturbed");
    const auto resumed = train(recipe_, "killed", /*resume=*/true);
    EXPECT_EQ(sha256_file(resumed.last), sha256_file(expected.last));
    EXPECT_EQ(sha256_file(resumed.best), sha256_file(expected.best));
    EXPECT_EQ(resumed.best_epoch, expected.best_epoch);
    EXPECT_EQ(resumed.best_srocc, expected.best_srocc);
    EXPECT_EQ(log("killed"), log("undisturbed"));
  }

  [[nodiscard]] std::filesystem::path run() const { return folder() / "killed"; }
  [[nodiscard]] std::int64_t epochs_saved() const {
    const auto header = checkpoint::read_safetensors_header(run() / "state.safetensors");
    return nlohmann::json::parse(header.metadata.at("state")).at("epochs_done").get<std::int64_t>();
  }
  [[nodiscard]] std::string log_so_far() const {
    const auto path = run() / "log.jsonl";
    return std::filesystem::exists(path) ? read_text_file(path) : "";
  }

  Recipe recipe_;
};

TEST_F(Resume, AfterKillAtTheEndOfTheFirstEpoch) {
  ASSERT_TRUE(kill_when([&] { return std::filesystem::exists(run() / "state.safetensors"); }));
  EXPECT_LT(epochs_saved(), recipe_.run.epochs);
  expect_same_as_undisturbed();
}

TEST_F(Resume, AfterKillWithinTheSecondEpoch) {
  ASSERT_TRUE(kill_when([&] { return log_so_far().find("{\"epoch\":1,") != std::string::npos; }));
  EXPECT_GE(epochs_saved(), 1);
  EXPECT_LT(epochs_saved(), recipe_.run.epochs);
  expect_same_as_undisturbed();
}

TEST_F(Resume, AfterKillBeforeAnyEpochWasSaved) {
  ASSERT_TRUE(kill_when([&] { return std::filesystem::exists(run() / "recipe.toml"); }));
  expect_same_as_undisturbed();
}

TEST_F(Resume, OfAFinishedRunChangesNothing) {
  recipe_.run.epochs = 1;
  const auto first = train(recipe_, "run");
  const auto best = sha256_file(first.best);
  const auto again = train(recipe_, "run", /*resume=*/true);
  EXPECT_EQ(sha256_file(again.best), best);
  EXPECT_EQ(again.best_epoch, first.best_epoch);
  EXPECT_EQ(again.best_srocc, first.best_srocc);
}

TEST_F(Resume, ALogLineCutShortIsDropped) {
  recipe_.run.epochs = 1;
  train(recipe_, "run");
  const auto lines = log("run");
  append_line(folder() / "run" / "log.jsonl", "{\"epoch\":0,\"st");
  train(recipe_, "run", /*resume=*/true);
  EXPECT_EQ(log("run"), lines);
}

}  // namespace
}  // namespace steadyiqa::training
