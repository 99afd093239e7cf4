// `steadyiqa attack train uap` and the attack with what it made, as a user sees them.
#include "attacks/uap.h"
#include "base/digest.h"
#include "cli/model_folder.h"
#include "cli/run_here.h"
#include "scoring/tiny_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace steadyiqa::cli {
namespace {

using ::steadyiqa::testing::Outcome;
using ::steadyiqa::testing::run_here;
using ::steadyiqa::testing::tiny_files;
using ::testing::HasSubstr;
using ::testing::Not;

class AttackTrain : public ::steadyiqa::testing::ModelFolder {
 protected:
  [[nodiscard]] std::string uap() const { return folder() / "u.safetensors"; }
  [[nodiscard]] Outcome train(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"attack", "train",   "uap",       "--model", model(),    "--out",
                                          uap(),    "--quiet", "--tile",    "32",      "--epochs", "2",
                                          "--rate", "0.02",    "--threads", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_here(arguments);
  }
  [[nodiscard]] Outcome train_on_set(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"--data", tiny_files().manifest()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return train(arguments);
  }
  [[nodiscard]] std::size_t images_in(const std::string& set) const {
    return data::subset(tiny_files().dataset(), set).samples.size();
  }
};

TEST_F(AttackTrain, WritesAPerturbationAndSaysWhatItIs) {
  const auto outcome = train_on_set({"--direction", "both", "--batch", "4", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("command"), "attack train uap");
  EXPECT_EQ(json.at("config").at("trainer"), "optimised");
  EXPECT_EQ(json.at("config").at("batch"), 4);
  EXPECT_EQ(json.at("data").at("images"), images_in("train"));
  EXPECT_EQ(json.at("out").at("sha256"), sha256_file(uap()));
  const auto made = attacks::read_uap(uap());
  EXPECT_TRUE(made.up.sizes().equals({3, 32, 32}));
  EXPECT_TRUE(made.down.defined());
  EXPECT_EQ(made.epochs, 2);
  EXPECT_EQ(made.model_sha256, sha256_file(model()));
  EXPECT_EQ(made.images.size(), images_in("train"));
}

TEST_F(AttackTrain, TakesLooseImages) {
  const auto outcome = train({tiny_files().folder() / tiny_files().dataset().samples[0].name});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("2 epochs on 1 images -> " + uap()));
  EXPECT_FALSE(attacks::read_uap(uap()).down.defined());
}

TEST_F(AttackTrain, AttackFlagsItsTrainingImagesAndSweepsTheAmplitude) {
  ASSERT_EQ(train_on_set({"--set", "val"}).exit_code, 0);  // the smallest set: each file that is written takes its time
  const auto outcome = run_here({"attack",
                                 "--model",
                                 model(),
                                 "--data",
                                 tiny_files().manifest(),
                                 "--set",
                                 "val",
                                 "--attack",
                                 "uap:file=" + uap(),
                                 "--eps",
                                 "2/255",
                                 "--eps",
                                 "8/255",
                                 "--direction",
                                 "up",
                                 "--out",
                                 folder() / "packs",
                                 "--json",
                                 "--quiet",
                                 "--threads",
                                 "1"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto images = images_in("val");
  const auto packs = nlohmann::json::parse(outcome.out).at("packs");
  ASSERT_EQ(packs.size(), 2U);
  std::vector<double> change;
  for (const auto& pack : packs) {
    std::size_t flagged = 0;
    change.push_back(0);
    for (const auto& row : pack.at("images")) {
      flagged += row.at("own_training_image").get<bool>() ? 1 : 0;
      change.back() += row.at("attacked").get<double>() - row.at("score").get<double>();
      EXPECT_EQ(row.at("model_calls"), 3);  // the clean image, the result and its float version: judging alone
    }
    EXPECT_EQ(flagged, images);
    const auto verified = run_here({"attack", "--verify", pack.at("dir").get<std::string>(), "--model", model()});
    EXPECT_EQ(verified.exit_code, 0) << verified.err;
  }
  EXPECT_GT(change[0], 0);
  EXPECT_GT(change[1], 2 * change[0]);
  const auto elsewhere = run_here({"evaluate", "--model", model(), "--pack", packs[0].at("dir").get<std::string>(),
                                   "--json", "--quiet", "--threads", "1"});
  EXPECT_EQ(nlohmann::json::parse(elsewhere.out).at("evaluations").at(0).at("attacked").at("own_training_images"),
            images);
  const auto warning = fmt::format("{} of the {} attacked images are its own", images, images);
  EXPECT_THAT(outcome.err, HasSubstr(warning));
  EXPECT_THAT(outcome.err, HasSubstr("trained on the victim itself"));
}

TEST_F(AttackTrain, EvaluateCountsItsTrainingImages) {
  ASSERT_EQ(train_on_set().exit_code, 0);
  const auto evaluate = [&](const std::string& set) {
    const auto outcome =
        run_here({"evaluate", "--model", model(), "--data", tiny_files().manifest(), "--set", set, "--attack",
                  "uap:file=" + uap(), "--eps", "2/255", "--json", "--quiet", "--threads", "1"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome;
  };
  const auto own = evaluate("train");
  const auto first = nlohmann::json::parse(own.out).at("evaluations").at(0);
  EXPECT_EQ(first.at("attacked").at("own_training_images"), images_in("train"));
  EXPECT_EQ(first.at("attack").at("parameters").at("file_sha256"), sha256_file(uap()));
  EXPECT_THAT(own.err, HasSubstr("its own training images"));
  EXPECT_THAT(evaluate("test").err, Not(HasSubstr("its own training images")));
}

TEST_F(AttackTrain, WrongCommandLinesAreUsageErrors) {
  const auto expect_usage_error = [&](const Outcome& outcome, const std::string& part) {
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    EXPECT_EQ(outcome.err_lines().size(), 1U) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(part));
  };
  expect_usage_error(run_here({"attack", "train"}), "subcommand");
  expect_usage_error(run_here({"attack", "train", "uap", "--out", uap()}), "--model");
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"attack", "train", "uap", "--quiet", "--model", model(), "--out", uap(), "--data",
                               tiny_files().manifest()});
    return run_here(more);
  };
  expect_usage_error(with({"--trainer", "optimized"}), "did you mean 'optimised'?");
  expect_usage_error(with({"--epochs", "0"}), "epochs = 0");
  expect_usage_error(with({"--eps", "4/255"}), "--eps is for attack, not for attack train");
  expect_usage_error(with({"--trainer", "generative", "--tile", "33"}), "even side");
  expect_usage_error(with({"a.png"}), "not both");
  EXPECT_FALSE(std::filesystem::exists(uap()));
}

TEST_F(AttackTrain, SurrogateIsTrainedByItsRecipeThatFlagsGoOver) {
  const auto outcome = run_here({"attack", "train", "surrogate", "--print-config", "--batch", "3"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const auto* line : {"name = \"korhonen\"", "labels = \"unit\"", "algorithm = \"sgd\"", "batch = 3 "}) {
    EXPECT_THAT(outcome.out, HasSubstr(line));
  }
  const auto no_data = run_here({"attack", "train", "surrogate"});
  EXPECT_EQ(no_data.exit_code, 1);
  EXPECT_THAT(no_data.err, HasSubstr("--data"));
}

TEST_F(AttackTrain, AFileThatIsNoPerturbationIsAnInputErrorOfAttack) {
  const auto outcome = run_here({"attack", "--model", model(), "--attack", "uap:file=" + model(), "--eps", "2/255",
                                 "--out", folder() / "pack", "a.png"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("not a universal perturbation"));
}

}  // namespace
}  // namespace steadyiqa::cli
