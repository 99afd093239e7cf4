// The command line as a user sees it: output, errors, exit codes.
#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "checkpoint/model_file.h"
#include "cli/model_folder.h"
#include "cli/run_here.h"
#include "scoring/tiny_files.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::cli {
namespace {

using ::steadyiqa::testing::Outcome;
using ::steadyiqa::testing::run_here;
using ::steadyiqa::testing::tiny_files;

class CommandLine : public ::steadyiqa::testing::ModelFolder {
 protected:
  [[nodiscard]] std::vector<std::string> score_arguments(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"score", "--model", model(), "--quiet", "--threads", "1"});
    return arguments;
  }
  [[nodiscard]] Outcome score(const std::vector<std::string>& arguments) const {
    return run_here(score_arguments(arguments));
  }
  /// Writes a file and gives its path.
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    write_file_atomic(folder() / name, text);
    return folder() / name;
  }
  [[nodiscard]] std::string good_image(const std::string& name = "good.png", std::size_t index = 1) const {
    image::write_png(folder() / name, testing::tiny_set().images.at(index));
    return folder() / name;
  }
};

/// One line on stderr, "steadyiqa: ...", that holds all of `parts`.
void expect_error(const Outcome& outcome, int exit_code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  const auto lines = outcome.err_lines();
  ASSERT_EQ(lines.size(), 1U) << outcome.err;
  EXPECT_TRUE(lines[0].starts_with("steadyiqa: ")) << lines[0];
  for (const auto& part : parts) {
    EXPECT_NE(lines[0].find(part), std::string::npos) << part << " not in: " << lines[0];
  }
  EXPECT_EQ(outcome.out, "");
}

TEST_F(CommandLine, TellsVersionAndHelp) {
  const auto version = testing::run_program(folder(), {"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.out.starts_with("steadyiqa 0.")) << version.out;
  EXPECT_EQ(version.err, "");
  const auto help = run_here({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* verb : {"demo", "train", "score", "evaluate", "doctor", "models", "data", "Exit codes"}) {
    EXPECT_NE(help.out.find(verb), std::string::npos) << verb;
  }
  const auto evaluate = run_here({"evaluate", "--help"});
  EXPECT_EQ(evaluate.exit_code, 0);
  EXPECT_NE(evaluate.out.find("--eps"), std::string::npos);
}

TEST_F(CommandLine, AWrongCommandLineIsAUsageError) {
  expect_error(run_here({"scor", "a.png"}), 1, {"'scor'", "'score'"});
  expect_error(run_here({"frobnicate"}), 1, {"'frobnicate'", "evaluate"});
  expect_error(run_here({}), 1, {"subcommand"});
  expect_error(run_here({"score", "--modell", model(), "a.png"}), 1, {"'--modell'", "'--model'"});
  expect_error(run_here({"score", "a.png"}), 1, {"--model"});
  expect_error(score({"--crops", "grit", good_image()}), 1, {"grit", "'grid'"});
  expect_error(score({good_image(), "--nonsense", "--quiet"}), 1, {"'--nonsense'"});
  expect_error(score({"--crop-count", "5", good_image()}), 1, {"square"});
  expect_error(score({"--compat", "pyiqua", good_image()}), 1, {"'pyiqua'", "'pyiqa'"});
  expect_error(score({"--compat", "official", good_image()}), 1, {"'compact'", "only of: ours"});
  expect_error(score({"--resize", "12", good_image()}), 1, {"resize '12'"});
}

TEST_F(CommandLine, AFlagValueThatIsWrongIsAUsageErrorThatNamesTheFlag) {
  const std::vector<std::string> head = {"evaluate", "--data", tiny_files().manifest(), "--model", model()};
  const auto with = [&](std::vector<std::string> tail) {
    tail.insert(tail.begin(), head.begin(), head.end());
    return run_here(tail);
  };
  expect_error(with({"--attack", "fgsm", "--eps", "4"}), 1, {"--eps", "no unit", "4/255", "px"});
  expect_error(with({"--attack", "fgsm", "--eps", "0.001px"}), 1, {"0.001px", "level"});
  expect_error(with({"--attack", "fgsm"}), 1, {"--eps"});
  expect_error(with({"--attack", "fgms", "--eps", "4/255"}), 1, {"fgms", "fgsm"});
  expect_error(with({"--attack", "ifgsm:step=3", "--eps", "4/255"}), 1, {"'step'", "'steps'"});
  expect_error(with({"--attack", "ifgsm:steps", "--eps", "4/255"}), 1, {"key=value"});
  expect_error(with({"--attack", "fgsm", "--eps", "4/255", "--direction", "middle"}), 1, {"direction", "middle"});
}

TEST_F(CommandLine, AWrongRecipeIsAUsageErrorThatNamesTheNearestKey) {
  const auto recipe = file("wrong.toml", "[optimiser]\nweigth-decay = 0.1\n");
  expect_error(run_here({"train", "--data", tiny_files().manifest(), "--recipe", recipe, "--out", folder() / "run"}), 1,
               {"wrong.toml", "[optimiser]", "weigth-decay", "'weight-decay'"});
  EXPECT_FALSE(std::filesystem::exists(folder() / "run"));
}

TEST_F(CommandLine, AWrongManifestIsAnInputErrorThatSaysWhere) {
  const auto evaluate = [&](const std::string& manifest) {
    return run_here({"evaluate", "--data", manifest, "--model", model(), "--set", "all"});
  };
  expect_error(evaluate(file("column.csv", "image,score\na.png,3\n")), 2, {"column.csv:1"});
  expect_error(evaluate(file("missing.csv", "image,set\na.png,test\n")), 2, {"missing.csv:1", "mos"});
  expect_error(evaluate(file("nan.csv", "image,mos\na.png,50\nb.png,NaN\n")), 2, {"nan.csv:3", "NaN"});
  expect_error(evaluate(file("absent.csv", "image,mos\na.png,50\nb.png,20\n")), 2, {"2 ", "a.png"});
  expect_error(evaluate(folder() / "no.csv"), 2, {"no.csv"});
}

TEST_F(CommandLine, AFileThatIsNoModelIsAnInputError) {
  const auto image = good_image();
  const auto with_model = [&](const std::string& path) { return run_here({"score", "--model", path, image}); };
  expect_error(with_model(folder() / "absent.safetensors"), 2, {"absent.safetensors"});
  expect_error(with_model(image), 2, {"good.png"});
  auto file = checkpoint::read_safetensors(model());
  auto plain = file;
  plain.metadata.clear();
  checkpoint::write_safetensors(folder() / "plain.safetensors", plain);
  expect_error(with_model(folder() / "plain.safetensors"), 2, {"plain.safetensors", "not a SteadyIQA model"});
  // A checkpoint of another network under this one's name.
  auto other = file;
  other.tensors.erase("head.0.weight");
  other.tensors["fc.weight"] = file.tensors.at("head.0.weight");
  checkpoint::write_safetensors(folder() / "other.safetensors", other);
  expect_error(with_model(folder() / "other.safetensors"), 2, {"other.safetensors", "head.0.weight", "fc.weight"});
}

/// Files that are no image, by kind, with a part of what is said of each.
struct BadImage {
  std::string name, bytes, reason;
};
std::vector<BadImage> bad_images() {
  const auto jpeg = image::encode_jpeg(testing::tiny_set().images[0], 90);
  std::string truncated;
  for (std::size_t i = 0; i < jpeg.size() / 2; ++i) {
    truncated += static_cast<char>(jpeg[i]);
  }
  // IHDR 65000 x 65000, an empty IDAT, IEND; Python: struct, zlib.compress(b''), zlib.crc32.
  const char huge[] =
      "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\xfd\xe8\x00\x00\xfd\xe8\x08\x02\x00\x00"
      "\x00\x2d\x35\x4e\x5d\x00\x00\x00\x08\x49\x44\x41\x54\x78\x9c\x03\x00\x00\x00\x00\x01\x48\x06\x89\xd2\x00\x00\x00"
      "\x00\x49\x45\x4e\x44\xae\x42\x60\x82";
  return {{"text.png", "this is no image\n", "text.png"},
          {"truncated.jpg", truncated, "truncated.jpg"},
          {"huge.png", std::string(huge, sizeof(huge) - 1), "65000x65000"},
          {"empty.png", "", "empty.png"}};
}

TEST_F(CommandLine, BadImagesAreTold) {
  for (const auto& bad : bad_images()) {
    const auto outcome = score({file(bad.name, bad.bytes)});
    EXPECT_EQ(outcome.exit_code, 2) << bad.name;
    EXPECT_NE(outcome.err.find(bad.name), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(bad.reason), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "") << bad.name;
  }
}

TEST_F(CommandLine, BadImagesAmongGoodOnesHaveAnErrorAndNoNumber) {
  std::vector<std::string> arguments = {"--json", good_image()};
  for (const auto& bad : bad_images()) {
    arguments.push_back(file(bad.name, bad.bytes));
  }
  arguments.push_back(folder() / "absent.png");
  const auto outcome = score(arguments);
  EXPECT_EQ(outcome.exit_code, 4);
  const auto lines = outcome.out_lines();
  ASSERT_EQ(lines.size(), arguments.size());  // a head for "--json", then one line each
  const auto head = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(head.at("tool"), "steadyiqa");
  EXPECT_EQ(head.at("model").at("score"), "MOS 0-100 of test");
  EXPECT_EQ(head.at("model").at("sha256").get<std::string>().size(), 64U);
  const auto good = nlohmann::json::parse(lines[1]);
  EXPECT_EQ(good.at("image"), arguments[1]);
  EXPECT_FALSE(good.contains("error"));
  const auto model_here = checkpoint::load_model(model());
  const double raw = testing::raw_score(model_here.scorer, testing::tiny_images(2)[1]);
  EXPECT_NEAR(good.at("raw_score").get<double>(), raw, 1e-5);
  EXPECT_NEAR(good.at("score").get<double>(), 20 * raw + 40, 1e-3);
  for (std::size_t i = 2; i < lines.size(); ++i) {
    const auto bad = nlohmann::json::parse(lines[i]);
    EXPECT_EQ(bad.at("image"), arguments[i]);
    EXPECT_FALSE(bad.contains("score") || bad.contains("raw_score")) << lines[i];
    EXPECT_FALSE(bad.at("error").get<std::string>().empty());
    EXPECT_NE(outcome.err.find(bad.at("error").get<std::string>()), std::string::npos) << outcome.err;
  }
}

TEST_F(CommandLine, CompatOfTheFileDecidesTheScaleAndFlagsGoOverIt) {
  auto scorer = testing::tiny_scorer();
  auto options = scorer.options();
  options.compat = models::Compat::kPyiqa;
  options.scale = {
      "0-100 from labels 0-1", {100, 0}, true, models::NativeScale{{.max = 1, .name = "labels 0-1"}, {1, 0}}};
  scorer.set_options(options);
  checkpoint::save_model(model(), scorer, {});
  const auto parsed = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--json", good_image()});
    const auto lines = score(arguments).out_lines();
    return std::pair(nlohmann::json::parse(lines.at(0)), nlohmann::json::parse(lines.at(1)));
  };
  const auto [head, native] = parsed({});
  EXPECT_EQ(head.at("model").at("range"), nlohmann::json({0, 1}));
  EXPECT_EQ(head.at("config").at("compat"), "pyiqa");
  EXPECT_EQ(native.at("score"), native.at("raw_score"));
  const auto [our_head, ours] = parsed({"--compat", "ours", "--resize", "40x50", "--crop-count", "1"});
  EXPECT_EQ(our_head.at("model").at("range"), nlohmann::json({0, 100}));
  EXPECT_EQ(our_head.at("config").at("resize"), "40x50");
  EXPECT_EQ(our_head.at("config").at("crop-count"), 1);
  EXPECT_NEAR(ours.at("score").get<double>(), 100 * ours.at("raw_score").get<double>(), 1e-9);
  EXPECT_NE(ours.at("raw_score"), native.at("raw_score"));
}

TEST_F(CommandLine, AnImageThatCannotBeResizedIsOneFailedItem) {
  image::write_png(folder() / "strip.png", image::Image(40'000, 1));
  const auto outcome = score({"--json", folder() / "strip.png", good_image()});
  EXPECT_EQ(outcome.exit_code, 4);
  const auto lines = outcome.out_lines();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NE(nlohmann::json::parse(lines[1]).at("error").get<std::string>().find("strip.png: an image of 40000x1"),
            std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(lines[2]).contains("score"));
}

TEST_F(CommandLine, ScoresAreTheSameAloneInAFolderAndTwice) {
  std::filesystem::create_directories(folder() / "images" / "deeper");
  const auto image = good_image("images/b.png");
  static_cast<void>(good_image("images/a.png", 4));
  static_cast<void>(good_image("images/deeper/c.png", 7));
  static_cast<void>(file("images/notes.txt", "no image, and not asked for"));
  const auto alone = testing::run_program(folder(), score_arguments({"--csv", image})).out_lines();
  ASSERT_EQ(alone.size(), 2U);
  EXPECT_EQ(alone[0], "image,score,raw_score,error");
  const auto all = score({"--csv", folder() / "images", image}).out_lines();
  ASSERT_EQ(all.size(), 5U);
  EXPECT_TRUE(all[1].starts_with((folder() / "images" / "a.png").string() + ","));
  EXPECT_EQ(all[2], alone[1]);
  EXPECT_TRUE(all[3].starts_with((folder() / "images" / "deeper" / "c.png").string() + ","));
  EXPECT_EQ(all[4], alone[1]);
  EXPECT_NE(all[1].substr(all[1].find(',')), all[2].substr(all[2].find(',')));
}

TEST_F(CommandLine, ReadsAListOfPathsFromStandardInput) {
  const auto list = good_image() + "\n\n" + good_image("other.png", 2) + "\n";
  const auto outcome = testing::run_program(folder(), score_arguments({"-"}), list);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto lines = outcome.out_lines();
  ASSERT_EQ(lines.size(), 2U) << outcome.out;
  EXPECT_TRUE(lines[0].ends_with("  " + good_image()));
  EXPECT_TRUE(lines[1].ends_with("other.png"));
}

TEST_F(CommandLine, AHostileFileNameForgesNoLine) {
  const auto forged = good_image("a\n  99.999  b.png");
  const auto outcome = score({forged, folder() / "c\nsteadyiqa: all is well.png"});
  EXPECT_EQ(outcome.exit_code, 4);
  EXPECT_EQ(outcome.out_lines().size(), 1U) << outcome.out;
  for (const auto& line : outcome.err_lines()) {
    EXPECT_FALSE(line.starts_with("steadyiqa: all")) << outcome.err;
  }
}

TEST_F(CommandLine, NamesThatAreNotUtf8DoNotBreakJson) {
  const auto latin = folder() / "mod\xe8le.safetensors";
  std::filesystem::copy_file(model(), latin);
  const auto outcome = run_here({"score", "--quiet", "--json", "--model", latin, good_image("caf\xe9.png")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto lines = outcome.out_lines();
  ASSERT_EQ(lines.size(), 2U) << outcome.out;
  EXPECT_EQ(nlohmann::json::parse(lines[0]).at("model").at("path"),
            (folder() / "mod\xef\xbf\xbdle.safetensors").string());
  EXPECT_TRUE(nlohmann::json::parse(lines[1]).at("score").is_number());
}

TEST_F(CommandLine, EvaluatesAsJson) {
  const auto table = folder() / "images.csv";
  const auto outcome = run_here({"evaluate", "--threads", "1",       "--data",   tiny_files().manifest(),
                                 "--set",    "all",       "--limit", "5",        "--model",
                                 model(),    "--attack",  "fgsm",    "--attack", "ifgsm:steps=2",
                                 "--eps",    "2/255",     "--json",  "--quiet",  "--csv",
                                 table});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("command"), "evaluate");
  EXPECT_EQ(json.at("config").at("set"), "all");
  const auto& evaluations = json.at("evaluations");
  ASSERT_EQ(evaluations.size(), 2U);
  EXPECT_EQ(evaluations[0].at("attack").at("name"), "fgsm");
  EXPECT_EQ(evaluations[1].at("attack").at("name"), "ifgsm");
  EXPECT_EQ(evaluations[1].at("attack").at("parameters").at("steps"), 2);
  for (const auto& evaluation : evaluations) {
    EXPECT_EQ(evaluation.at("attack").at("eps_levels"), 2);
    EXPECT_EQ(evaluation.at("data").at("images"), 5);
    ASSERT_EQ(evaluation.at("images").size(), 5U);
    for (const char* key : {"srocc", "plcc", "plcc_logistic4", "krocc", "rmse", "mae"}) {
      EXPECT_TRUE(evaluation.at("clean").contains(key)) << key;
      EXPECT_TRUE(evaluation.at("attacked").at("with_mos").contains(key)) << key;
      EXPECT_TRUE(evaluation.at("attacked").at("with_clean").contains(key)) << key;
    }
    for (const char* key : {"r_natural", "r_log10", "r_natural_uncalibrated", "change_mean", "change_p95",
                            "change_share_of_spread", "psnr_mean_db", "ssim_mean", "linf_max_levels"}) {
      EXPECT_TRUE(evaluation.at("attacked").at(key).is_number()) << key;
    }
    for (const auto& image : evaluation.at("images")) {
      EXPECT_LE(image.at("linf_levels").get<double>(), 2);
      EXPECT_NE(image.at("attacked"), image.at("score"));
    }
  }
  EXPECT_EQ(testing::lines_of(read_text_file(table)).size(), 11U);
}

TEST_F(CommandLine, ATransferFromTheVictimItselfIsCalledWhiteBox) {
  const auto attack = fmt::format("transfer:attack=fgsm,source={}", model());
  const auto outcome = run_here({"attack", "--threads", "1", "--model", model(), "--attack", attack, "--eps", "2/255",
                                 "--out", folder() / "pack", good_image(), "--json", "--quiet"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("the victim itself: this is a white-box attack"), std::string::npos) << outcome.err;
  const auto pack = nlohmann::json::parse(read_text_file(folder() / "pack" / "pack.json"));
  const auto& parameters = pack.at("attack").at("parameters");
  EXPECT_EQ(parameters.at("source_sha256"), pack.at("victim").at("sha256"));
  EXPECT_EQ(parameters.at("attack"), "fgsm");
  const auto image = nlohmann::json::parse(outcome.out).at("packs").at(0).at("images").at(0);
  EXPECT_EQ(image.at("own_training_image"), false);
  EXPECT_EQ(image.at("model_calls"), 3);
  expect_error(run_here({"attack", "--model", model(), "--attack", "transfer", "--eps", "2/255", "--out",
                         folder() / "other", good_image()}),
               1, {"source=FILE"});
  expect_error(run_here({"attack", "--model", model(), "--attack", "transfer:source=absent.pth", "--eps", "2/255",
                         "--out", folder() / "other", good_image()}),
               2, {"absent.pth"});
}

TEST_F(CommandLine, TrainsThenScoresWithWhatItTrained) {
  const auto trained = run_here({"train",
                                 "--threads",
                                 "1",
                                 "--data",
                                 tiny_files().manifest(),
                                 "--model",
                                 "compact",
                                 "--data.crop",
                                 "32",
                                 "--epochs",
                                 "1",
                                 "--batch",
                                 "8",
                                 "--regularizer",
                                 "nt",
                                 "--lambda",
                                 "1e-4",
                                 "--out",
                                 folder() / "run",
                                 "--json",
                                 "--quiet"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const auto json = nlohmann::json::parse(trained.out);
  EXPECT_EQ(json.at("config").at("regulariser").at("lambda"), 1e-4);
  EXPECT_EQ(json.at("config").at("data").at("crop"), 32);
  const auto scored =
      run_here({"score", "--model", json.at("best").at("path").get<std::string>(), good_image(), "--json"});
  ASSERT_EQ(scored.exit_code, 0) << scored.err;
  const auto head = nlohmann::json::parse(scored.out_lines().at(0));
  EXPECT_EQ(head.at("model").at("sha256"), json.at("best").at("sha256"));
  EXPECT_EQ(head.at("model").at("calibrated"), true);
}

TEST_F(CommandLine, InspectsAndConvertsCheckpoints) {
  const auto pth = (folder() / "model.pth").string();
  const auto converted = run_here({"convert", model(), pth});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  const auto shown = run_here({"inspect", pth, "--json"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  const auto json = nlohmann::json::parse(shown.out);
  EXPECT_EQ(json.at("container"), "PyTorch zip");
  EXPECT_EQ(json.at("wrapping"), nlohmann::json::array({"['state_dict']"}));
  EXPECT_EQ(json.at("tensors").at("head.2.bias"), (nlohmann::json{{"dtype", "F32"}, {"shape", {1}}}));
  EXPECT_TRUE(json.at("metadata").contains("steadyiqa"));
  EXPECT_NE(run_here({"inspect", model()}).out.find("container  safetensors"), std::string::npos);
  const auto scored = run_here({"score", "--model", pth, good_image(), "--csv", "--quiet", "--threads", "1"});
  EXPECT_EQ(scored.out, score({"--csv", good_image()}).out);
  expect_error(run_here({"inspect", good_image()}), 2, {"good.png"});
  expect_error(run_here({"convert", pth, folder() / "model.h5"}), 1, {"model.h5", ".safetensors"});
  expect_error(run_here({"convert", model(), pth, "--labels", "0:1"}), 1, {"says itself what it is"});
}

TEST_F(CommandLine, PrintConfigIsARecipeThatReadsBack) {
  const auto first = run_here({"train", "--print-config", "--lr", "0.003", "--regularizer", "nt"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_NE(first.out.find("lr = 0.003"), std::string::npos);
  const auto second = run_here({"train", "--print-config", "--recipe", file("printed.toml", first.out)});
  EXPECT_EQ(second.out, first.out);
}

}  // namespace
}  // namespace steadyiqa::cli
