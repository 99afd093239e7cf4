#include "evaluation/result_store.h"

#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "evaluation/evaluate.h"
#include "evaluation/run.h"
#include "scoring/tiny_files.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

namespace steadyiqa::evaluation {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::tiny_files;
using ::steadyiqa::testing::tiny_scorer;

class Store : public ::steadyiqa::testing::TempFolder {
 protected:
  static checkpoint::LoadedModel model(double slope = 20.0) {
    checkpoint::LoadedModel loaded{tiny_scorer(10.0), {}, "0123"};
    loaded.scorer.set_scale({"test", {slope, 30.0}, true});
    return loaded;
  }
  static Protocol protocol() {
    attacks::AttackOptions fgsm{.epsilon = 2.0 / 255.0};
    auto random = fgsm;
    random.attack.name = "random";
    random.direction = attacks::Direction::kBoth;
    auto p = unnamed_protocol({fgsm, random});
    p.bounds = {0.5 / 255.0, 2.0 / 255.0};
    return p;
  }
  static StoredPlan fill_here(ResultStore& store, std::size_t images, const FillOptions& options = {}) {
    const auto loaded = model();
    return fill(store, loaded, "m.safetensors", tiny_files().first(images), protocol(), options);
  }
  /// Every row that is a result, as text.
  static std::string rows_of(ResultStore& store) {
    std::string text;
    for (const char* table : {"protocol", "model", "image_set", "member", "attack", "plan", "plan_attack", "clean",
                              "bound", "attacked", "sensitivity", "picture"}) {
      store.database().query(std::string("SELECT * FROM ") + table, {}, [&](const SqlRow& row) {
        for (int i = 0; i < row.size(); ++i) {
          text += row.text(i) + "|";
        }
        text += "\n";
      });
    }
    return text;
  }
  [[nodiscard]] std::filesystem::path file(const std::string& name = "r.sqlite") const { return folder() / name; }
};

TEST_F(Store, GivesBackWhatEvaluateFinds) {
  ResultStore store(file());
  const auto plan = fill_here(store, 6);
  ResultStore again(file(), Database::Mode::kReadOnly);
  const auto loaded = model();
  const auto direct = evaluate(loaded, "m.safetensors", tiny_files().first(6), protocol().attacks);
  const auto stored = again.evaluations(plan);
  ASSERT_EQ(stored.size(), direct.size());
  for (std::size_t a = 0; a < stored.size(); ++a) {
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(to_json(stored[a].images[i], true), to_json(direct[a].images[i], true));
    }
    EXPECT_EQ(stored[a].attacked->with_mos.srocc, direct[a].attacked->with_mos.srocc);
    EXPECT_EQ(stored[a].expected_images, 6);
  }
}

TEST_F(Store, KeepsTheResultsOfDevicesApart) {
  ResultStore store(file());
  const auto plan = fill_here(store, 4);
  const auto here = store.model(plan.model);
  EXPECT_EQ(here.head.device, "cpu");
  auto there = here;
  there.head.device = "cuda";
  EXPECT_NE(there.key(), here.key());
  auto other = plan;
  other.model = there.key();
  store.begin(other, there, store.members(plan.image_set));
  EXPECT_EQ(store.model(there.key()).head.device, "cuda");
  EXPECT_EQ(store.model(here.key()).head.device, "cpu");
}

TEST_F(Store, DoesNothingTwice) {
  ResultStore store(file());
  fill_here(store, 5);
  int calls = 0;
  const auto count = [&](std::size_t, std::size_t, const torch::Tensor&, const attacks::AttackResult&) { ++calls; };
  fill_here(store, 5, {.watch = count});
  EXPECT_EQ(calls, 0);
}

TEST_F(Store, AKilledRunGoesOnWhereItWas) {
  ResultStore whole;
  fill_here(whole, 6, {.pictures = true});
  {
    ResultStore store(file());
    int calls = 0;
    const auto stop = [&](std::size_t, std::size_t, const torch::Tensor&, const attacks::AttackResult&) {
      if (++calls == 5) {
        throw Error(ErrorKind::kInterrupted, "stop");
      }
    };
    EXPECT_THROW(fill_here(store, 6, {.watch = stop, .pictures = true}), Error);
  }
  ResultStore store(file());
  int calls = 0;
  const auto count = [&](std::size_t, std::size_t, const torch::Tensor&, const attacks::AttackResult&) { ++calls; };
  fill_here(store, 6, {.watch = count, .pictures = true});
  EXPECT_EQ(calls, 12 - 5);
  EXPECT_EQ(rows_of(store), rows_of(whole));
}

TEST_F(Store, ShardsMergedEqualOneRunRowForRow) {
  ResultStore whole;
  fill_here(whole, 7, {.pictures = true});
  ResultStore merged(file("all.sqlite"));
  for (int shard = 0; shard < 3; ++shard) {
    const auto part = file(std::to_string(shard) + ".sqlite");
    ResultStore store(part);
    fill_here(store, 7, {.shard = {shard, 3}, .pictures = true});
    merged.merge(part);
  }
  EXPECT_EQ(rows_of(merged), rows_of(whole));
}

TEST_F(Store, AnUnfinishedRunHasOnlyImagesThatEveryAttackHasDone) {
  ResultStore store(file());
  const auto plan = fill_here(store, 7, {.shard = {0, 2}});
  store.database().execute(
      "DELETE FROM attacked WHERE image = (SELECT image FROM member WHERE position = 2) AND "
      "attack = (SELECT attack FROM attack WHERE name = 'random')");
  for (const auto& e : store.evaluations(plan)) {
    EXPECT_EQ(e.images.size(), 3U);  // of 0, 2, 4, 6
    EXPECT_EQ(e.expected_images, 7);
  }
}

TEST_F(Store, TwoProcessesShareTheWork) {
  torch::set_num_threads(1);  // libtorch's threads do not survive a fork, and one image at a time needs none
  ResultStore whole;
  fill_here(whole, 8);
  const auto child = fork();
  if (child == 0) {
    try {
      ResultStore store(file());
      fill_here(store, 8);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "the other process: %s\n", error.what());
      _exit(1);
    }
    _exit(0);
  }
  ResultStore store(file());
  fill_here(store, 8);
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(rows_of(store), rows_of(whole));
}

TEST_F(Store, AClaimEndsWithItsProcess) {
  const auto child = fork();
  if (child == 0) {
    ResultStore store(file());
    _exit(store.claim("m", "i") ? 0 : 1);  // dies with the claim
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ResultStore first(file());
  ResultStore second(file());
  EXPECT_TRUE(first.claim("m", "i"));
  EXPECT_FALSE(second.claim("m", "i"));
  first.release("m", "i");
  EXPECT_TRUE(second.claim("m", "i"));
}

TEST_F(Store, RefusesToMergeWhatContradicts) {
  ResultStore store(file());
  fill_here(store, 4);
  {
    ResultStore other(file("other.sqlite"));
    fill_here(other, 4);
    other.database().execute("UPDATE clean SET score = score + 1 WHERE image = (SELECT min(image) FROM clean)");
  }
  const auto before = rows_of(store);
  const auto message = error_message(ErrorKind::kNumeric, [&] { store.merge(file("other.sqlite")); });
  EXPECT_NE(message.find("clean"), std::string::npos) << message;
  EXPECT_EQ(rows_of(store), before);
}

TEST_F(Store, RefusesOtherFiles) {
  write_file_atomic(file("text.sqlite"), "this is a text that is no database at all, whatever its name may say\n");
  EXPECT_THROW(ResultStore{file("text.sqlite")}, Error);
  Database(file("foreign.sqlite"), Database::Mode::kReadWrite).execute("CREATE TABLE a (b)");
  const auto message = error_message(ErrorKind::kInput, [&] { ResultStore store(file("foreign.sqlite")); });
  EXPECT_NE(message.find("no result store"), std::string::npos) << message;
  {
    ResultStore store(file());
    store.database().execute("PRAGMA user_version = 99");
  }
  EXPECT_NE(error_message(ErrorKind::kInput, [&] { ResultStore store(file()); }).find("format 99"), std::string::npos);
}

TEST_F(Store, RefusesImagesThatChanged) {
  ResultStore store(file());
  const auto plan = fill_here(store, 4);
  store.database().execute("UPDATE member SET image = 'other' WHERE position = 1");
  EXPECT_NE(error_message(ErrorKind::kInput, [&] { fill_here(store, 4); }).find("not the one"), std::string::npos);
}

TEST_F(Store, OtherPreprocessingIsAnotherModel) {
  ResultStore store(file());
  fill_here(store, 4);
  auto loaded = model();
  auto options = loaded.scorer.options();
  options.crops.count = 1;
  loaded.scorer.set_options(options);
  fill(store, loaded, "m.safetensors", tiny_files().first(4), protocol());
  EXPECT_EQ(store.plans().size(), 2U);
}

TEST_F(Store, BoundHoldsForALinearStep) {
  // Small steps: the change that PGD reaches is at most the first-order bound, and near it.
  const auto loaded = model();
  const auto pixels = ::steadyiqa::testing::tiny_images(1)[0];
  const auto clean = clean_image(loaded.scorer, "a", 50, pixels);
  const auto row = first_order_bound(loaded.scorer, pixels, clean.gradient, 1e-4);
  const torch::NoGradGuard no_grad;
  const auto up = (pixels + 1e-4 * clean.gradient.sign()).clamp(0, 1);
  const double moved = loaded.scorer.calibrate(loaded.scorer.raw(up)[0].item<double>()) - clean.result.clean;
  EXPECT_NEAR(row.change_up / moved, 1.0, 0.05);
  EXPECT_NEAR(row.bound_up / moved, 1.0, 0.05);
  EXPECT_LE(row.bound_up, 1e-4 * clean.result.gradient_l1 * (1 + 1e-6));
  EXPECT_GT(row.bound_down, 0.0);
}

}  // namespace
}  // namespace steadyiqa::evaluation
