#include "evaluation/attack_pack.h"

#include "attacks/catalogue.h"
#include "attacks/tiny_scorer.h"
#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "checkpoint/model_file.h"
#include "evaluation/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::evaluation {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_scorer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t kImages = 4;  // as few as the logistic fit takes
const attacks::AttackOptions kOptions{.epsilon = 2.0 / 255.0, .direction = attacks::Direction::kUp};

class AttackPack : public ::steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] checkpoint::LoadedModel model(std::uint64_t seed = 7) const {
    auto scorer = tiny_scorer(0, seed);
    scorer.set_scale({"test", {20.0, 50.0}, true});
    const auto path = folder() / fmt::format("model{}.safetensors", seed);
    checkpoint::save_model(path, scorer, {});
    return checkpoint::load_model(path);
  }
  [[nodiscard]] static PackConfig config(const checkpoint::LoadedModel& model,
                                         const attacks::AttackOptions& options = kOptions) {
    const auto about = describe(model, "m", {});
    return {.attack = describe(options),
            .seed = options.seed,
            .victim = about.model_name,
            .victim_sha256 = model.sha256,
            .preprocessing = about.crops,
            .calibration = about.calibration,
            .data_name = "test"};
  }
  static void add(PackWriter& pack, const checkpoint::LoadedModel& model, std::size_t index) {
    const auto pixels = tiny_images(kImages)[index];
    auto row = clean_image(model.scorer, fmt::format("scenes/{}.png", index), 10.0 * static_cast<double>(index), pixels)
                   .result;
    const auto result = attacks::make_attack(kOptions.attack)->run(model.scorer, pixels, kOptions);
    add_attack(row, result, model.scorer.options().scale.calibration);
    pack.add(result.clean, result.attacked, row);
  }
  [[nodiscard]] std::filesystem::path dir() const { return folder() / "pack"; }
  /// A whole pack in dir().
  void write(const checkpoint::LoadedModel& model) const {
    PackWriter pack(dir(), config(model));
    for (std::size_t i = 0; i < kImages; ++i) {
      add(pack, model, i);
    }
  }
  /// Replaces the first `from` in the pack's rows.
  void change_rows(const std::string& from, const std::string& to) const {
    auto text = read_text_file(dir() / "rows.jsonl");
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text;
    write_file_atomic(dir() / "rows.jsonl", text.replace(at, from.size(), to));
  }
};

TEST_F(AttackPack, HoldsWhatWasAttackedAndVerifies) {
  const auto victim = model();
  write(victim);
  const auto pack = read_pack(dir());
  ASSERT_EQ(pack.rows.size(), kImages);
  EXPECT_EQ(pack.rows[1].name, "scenes/1.png");
  EXPECT_EQ(pack.rows[1].result.mos, 10.0);
  EXPECT_EQ(pack.config.attack, describe(kOptions));
  EXPECT_THAT(verify_pack(pack, &victim), IsEmpty());
  EXPECT_THAT(verify_pack(pack, nullptr), IsEmpty());
}

TEST_F(AttackPack, GoesOnAfterTheLastFinishedImage) {
  const auto victim = model();
  {
    PackWriter pack(dir(), config(victim));
    add(pack, victim, 0);
  }
  auto rows = read_text_file(dir() / "rows.jsonl");
  write_file_atomic(dir() / "rows.jsonl", rows + R"({"image": "half of a li)");
  PackWriter pack(dir(), config(victim));
  EXPECT_TRUE(pack.has("scenes/0.png"));
  EXPECT_FALSE(pack.has("scenes/1.png"));
  add(pack, victim, 1);
  EXPECT_EQ(read_pack(dir()).rows.size(), 2U);
  EXPECT_THAT(verify_pack(read_pack(dir()), &victim), IsEmpty());
}

TEST_F(AttackPack, AnotherAttackMayNotGoOnInIt) {
  const auto victim = model();
  write(victim);
  auto other = kOptions;
  other.epsilon = 4.0 / 255.0;
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { PackWriter(dir(), config(victim, other)); }),
              HasSubstr("another attack"));
}

TEST_F(AttackPack, AChangedImageIsFound) {
  const auto victim = model();
  write(victim);
  auto pack = read_pack(dir());
  const auto path = dir() / "attacked" / pack.rows[2].file;
  auto bytes = read_file(path);
  bytes.back() = bytes.back() ^ std::byte{1};
  write_file_atomic(path, bytes);
  EXPECT_THAT(verify_pack(pack, &victim), ::testing::ElementsAre(HasSubstr("SHA-256")));
  std::filesystem::remove(path);
  EXPECT_THAT(verify_pack(pack, &victim), ::testing::ElementsAre(HasSubstr(pack.rows[2].file)));
}

TEST_F(AttackPack, ABudgetThatWasOverspentIsFound) {
  const auto victim = model();
  write(victim);
  auto pack = read_pack(dir());
  pack.config.attack.levels = 1;
  const auto problems = verify_pack(pack, &victim);
  ASSERT_EQ(problems.size(), kImages);
  EXPECT_THAT(problems[0], HasSubstr("scenes/0.png: changed by 2 grey levels, the budget is 1"));
}

TEST_F(AttackPack, AScoreThatTheModelDoesNotGiveIsFound) {
  const auto victim = model();
  write(victim);
  auto pack = read_pack(dir());
  pack.rows[1].result.attacked += 0.5;
  EXPECT_THAT(verify_pack(pack, &victim),
              ::testing::ElementsAre(HasSubstr("scenes/1.png: its attacked score is -0.5000")));
  const auto other = model(8);
  EXPECT_THAT(verify_pack(pack, &other), ::testing::ElementsAre(HasSubstr("not the attacked one")));
}

TEST_F(AttackPack, UnderTheVictimItSaysWhatTheAttackSaid) {
  const auto victim = model();
  write(victim);
  const auto pack = read_pack(dir());
  const auto evaluation = evaluate_pack(victim, "m", pack);
  ASSERT_EQ(evaluation.images.size(), kImages);
  for (std::size_t i = 0; i < kImages; ++i) {
    EXPECT_EQ(evaluation.images[i].clean, pack.rows[i].result.clean);
    EXPECT_EQ(evaluation.images[i].attacked, pack.rows[i].result.attacked);
    EXPECT_GT(evaluation.images[i].attacked, evaluation.images[i].clean);
  }
  ASSERT_TRUE(evaluation.attacked);
  EXPECT_GT(evaluation.attacked->change.mean_absolute, 0);
  const auto transferred = evaluate_pack(model(8), "other", pack);
  EXPECT_LT(transferred.attacked->change.mean_absolute, evaluation.attacked->change.mean_absolute);
}

TEST_F(AttackPack, ImagesWithoutARatingHaveNoCorrelationWithIt) {
  const auto victim = model();
  write(victim);
  auto pack = read_pack(dir());
  pack.rows[0].result.mos = std::nan("");
  const auto evaluation = evaluate_pack(victim, "m", pack);
  EXPECT_TRUE(std::isnan(evaluation.clean.srocc));
  EXPECT_TRUE(std::isfinite(evaluation.attacked->with_clean.srocc));
}

TEST_F(AttackPack, BrokenFilesAreErrorsThatNameThem) {
  const auto read = [&] { return error_message(ErrorKind::kInput, [&] { static_cast<void>(read_pack(dir())); }); };
  EXPECT_THAT(read(), HasSubstr("pack.json"));
  write(model());
  change_rows("\"000001-", "\"../0001-");
  EXPECT_THAT(read(), HasSubstr("rows.jsonl line 2: '../0001-1.png' is no plain file name"));
  change_rows("\"../0001-", "\"000001-");
  change_rows("\"ssim\"", "\"sim\"");
  EXPECT_THAT(read(), HasSubstr("rows.jsonl line 1"));
  write_file_atomic(dir() / "pack.json", R"({"format": 2})");
  EXPECT_THAT(read(), HasSubstr("pack.json: format 2, this version reads 1"));
  write_file_atomic(dir() / "pack.json", "[");
  EXPECT_THAT(read(), HasSubstr("pack.json: "));
}

TEST_F(AttackPack, IsNotAdaptiveToAnotherModelsPurification) {
  const auto victim = model();
  write(victim);
  EXPECT_EQ(evaluate_pack(victim, "m", read_pack(dir())).adaptive, kNoneNeeded);
  auto other = model(8);
  EXPECT_EQ(evaluate_pack(other, "m", read_pack(dir())).adaptive, kNoneNeeded);
  auto options = other.scorer.options();
  options.purification = models::parse_purification({"jpeg"});
  other.scorer.set_options(options);
  EXPECT_EQ(evaluate_pack(other, "m", read_pack(dir())).adaptive, "off: not adaptive, made for compact");
}

}  // namespace
}  // namespace steadyiqa::evaluation
