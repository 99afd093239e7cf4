// Purified models on the command line: the flag, the model file, attacks and what they say of themselves.
#include "base/file.h"
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

class Purify : public ::steadyiqa::testing::ModelFolder {
 protected:
  void SetUp() override {
    ModelFolder::SetUp();
    image::write_png(image(), testing::tiny_set().images.at(1));
  }
  [[nodiscard]] std::string image() const { return folder() / "image.png"; }
  [[nodiscard]] std::string purified_model() const { return folder() / "purified.safetensors"; }
  [[nodiscard]] Outcome score(const std::string& model, std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), {"score", "--model", model, "--quiet", "--threads", "1", "--csv"});
    arguments.push_back(image());
    return run_here(arguments);
  }
  [[nodiscard]] Outcome attack(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"attack", "--threads", "1", "--attack", "ifgsm:steps=2", "--eps", "4/255",
                                         "--out", folder() / "pack", "--model"});
    arguments.push_back(image());
    return run_here(arguments);
  }
  [[nodiscard]] nlohmann::json pack() const {
    return nlohmann::json::parse(read_text_file(folder() / "pack" / "pack.json"));
  }
};

TEST_F(Purify, IsAFlagOfScoreAndPartOfAModelFile) {
  const auto plain = score(model());
  const auto flagged = score(model(), {"--purify", "jpeg:quality=10", "--purify", "noise:sigma=0.1,draws=2"});
  ASSERT_EQ(flagged.exit_code, 0) << flagged.err;
  EXPECT_NE(flagged.out, plain.out);
  const auto converted = run_here(
      {"convert", model(), purified_model(), "--purify", "jpeg:quality=10", "--purify", "noise:sigma=0.1,draws=2"});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  EXPECT_EQ(score(purified_model()).out, flagged.out);
  EXPECT_EQ(score(purified_model(), {"--purify", "none"}).out, plain.out);
  EXPECT_THAT(run_here({"inspect", purified_model()}).out,
              HasSubstr("purifies   jpeg:quality=10 + noise:draws=2,seed=0,sigma=0.1\n"));
  EXPECT_THAT(run_here({"inspect", model()}).out, Not(HasSubstr("purifies")));
  const auto head = run_here({"score", "--model", purified_model(), "--json", "--quiet", image()}).out_lines().at(0);
  EXPECT_EQ(nlohmann::json::parse(head).at("config").at("purify"),
            (nlohmann::json{"jpeg:quality=10", "noise:draws=2,seed=0,sigma=0.1"}));
  const auto exported = run_here({"export", purified_model(), folder() / "model.onnx"});
  EXPECT_EQ(exported.exit_code, 1);
  EXPECT_THAT(exported.err, HasSubstr("--purify none"));
  EXPECT_FALSE(std::filesystem::exists(folder() / "model.onnx"));
}

TEST_F(Purify, RefusesWhatIsNoPurifier) {
  const auto wrong = score(model(), {"--purify", "jpegs"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("'jpegs' (did you mean 'jpeg'?)"));
  EXPECT_EQ(score(model(), {"--purify", "jpeg:quality=0"}).exit_code, 1);
  auto file = checkpoint::read_safetensors(model());
  file.metadata.clear();
  file.tensors = {{"w", torch::zeros({2})}};
  checkpoint::write_safetensors(folder() / "other.safetensors", file);
  const auto nothing =
      run_here({"convert", folder() / "other.safetensors", folder() / "out.safetensors", "--purify", "jpeg"});
  EXPECT_EQ(nothing.exit_code, 1);
  EXPECT_THAT(nothing.err, HasSubstr("other.safetensors"));
}

TEST_F(Purify, AttacksAreAdaptiveAndSaySo) {
  const auto outcome = attack({model(), "--purify", "jpeg:quality=30", "--purify", "noise", "--eot-draws", "3"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, Not(HasSubstr("flatters")));
  EXPECT_EQ(pack().at("attack").at("adaptive"), "BPDA (jpeg), EOT 3 draws");
  EXPECT_THAT(pack().at("victim").at("preprocessing").get<std::string>(), HasSubstr("jpeg:quality=30"));
  EXPECT_EQ(run_here({"attack", "--verify", folder() / "pack", "--model", model(), "--purify", "jpeg:quality=30",
                      "--purify", "noise", "--quiet"})
                .exit_code,
            0);
}

TEST_F(Purify, AnAttackThatIsNotAdaptiveWarns) {
  const auto outcome = attack({model(), "--purify", "jpeg:quality=30", "--adaptive", "off"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("off: not adaptive"));
  EXPECT_EQ(pack().at("attack").at("adaptive"), "off: not adaptive");
}

TEST_F(Purify, AttacksOnPlainModelsNeedNothing) {
  const auto outcome = attack({model(), "--adaptive", "off"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, Not(HasSubstr("adaptive")));
  EXPECT_EQ(pack().at("attack").at("adaptive"), "none needed");
}

TEST_F(Purify, TheTableOfAnEvaluationSaysIt) {
  const auto evaluate = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"evaluate", "--threads", "1",       "--data", tiny_files().manifest(),
                                          "--set",    "all",       "--limit", "4",      "--model",
                                          model(),    "--eps",     "2/255"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_here(arguments);
  };
  const auto adaptive = evaluate({"--attack", "fgsm", "--attack", "random", "--purify", "bits:bits=4"});
  ASSERT_EQ(adaptive.exit_code, 0) << adaptive.err;
  EXPECT_THAT(adaptive.out, HasSubstr("adaptive to purification: model: BPDA (bits)\n"));
  EXPECT_THAT(adaptive.out, HasSubstr("crops: purify bits:bits=4; grid 4 of 32px"));
  EXPECT_EQ(adaptive.out.find("adaptive to"), adaptive.out.rfind("adaptive to")) << "a black box needs nothing";
  const auto off = evaluate({"--attack", "fgsm", "--purify", "bits:bits=4", "--adaptive", "off", "--json"});
  EXPECT_EQ(nlohmann::json::parse(off.out).at("evaluations").at(0).at("attack").at("adaptive"), "off: not adaptive");
  EXPECT_THAT(off.err, HasSubstr("takes no account of it"));
}

}  // namespace
}  // namespace steadyiqa::cli
