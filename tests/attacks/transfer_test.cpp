// Attacks made on another model. What they do is what the attack does on that model, which the tests of each attack
// compare with other programs.
#include "attacks/transfer.h"

#include "attacks/function_victim.h"
#include "attacks/tiny_source.h"
#include "base/digest.h"
#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::FunctionVictim;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_neighbour;
using ::steadyiqa::testing::tiny_scorer;
using ::steadyiqa::testing::tiny_source;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kLevel = 1.0 / 255.0;

class TransferAttack : public ::steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] std::string saved(const models::Scorer& scorer, const checkpoint::Provenance& provenance = {},
                                  const std::string& name = "source.safetensors") const {
    const auto path = folder() / name;
    checkpoint::save_model(path, scorer, provenance);
    return path.string();
  }
  static AttackSpec spec(const std::string& text, const std::string& source) {
    auto made = AttackSpec::parse(text);
    made.parameters["source"] = source;
    return made;
  }
  static std::unique_ptr<Attack> attack(const std::string& text, const std::string& source) {
    return make_attack(spec(text, source));
  }
  static AttackOptions options(Direction direction = Direction::kUp, Unit unit = Unit::kImage) {
    return {.epsilon = 2 * kLevel, .direction = direction, .unit = unit};
  }
  static std::string usage_error(const AttackSpec& spec) {
    return error_message(ErrorKind::kUsage, [&] { static_cast<void>(make_attack(spec)); });
  }
  static std::string input_error(const std::string& source) {
    return error_message(ErrorKind::kInput, [&] { static_cast<void>(attack("transfer", source)); });
  }
};

/// Where the source is the victim's copy, nothing but the number of calls tells the two apart.
TEST_F(TransferAttack, FromTheVictimsOwnCopyIsThatAttackOnTheVictim) {
  const auto victim = tiny_neighbour();
  const auto copy = saved(victim);
  const auto pixels = tiny_images(2)[1];
  for (const char* name : {"fgsm", "ifgsm:steps=3", "pgd:steps=3", "apgd:steps=5", "madc"}) {
    const auto direct = AttackSpec::parse(name);
    auto transferred = direct;
    transferred.name = "transfer";
    transferred.parameters["attack"] = direct.name;
    transferred.parameters["source"] = copy;
    for (const auto direction : {Direction::kUp, Direction::kDown, Direction::kMid}) {
      const auto expected = make_attack(direct)->run(victim, pixels, options(direction));
      const auto result = make_attack(transferred)->run(victim, pixels, options(direction));
      EXPECT_TRUE(torch::equal(result.attacked, expected.attacked)) << name;
      EXPECT_EQ(result.attacked_raw, expected.attacked_raw);
      EXPECT_EQ(result.float_raw, expected.float_raw);
      EXPECT_EQ(result.direction, expected.direction);
      EXPECT_EQ(result.model_calls, 3);  // clean, attacked, attacked before rounding
    }
  }
}

TEST_F(TransferAttack, AimsAtATargetOnTheSourcesCalibratedScale) {
  const auto victim = tiny_neighbour();
  auto towards = options();
  const auto pixels = tiny_images(1)[0];
  towards.target = victim.calibrate(testing::raw_score(victim, pixels)) + 0.5;
  const auto expected = make_attack({"ifgsm"})->run(victim, pixels, towards);
  const auto result = attack("transfer:attack=ifgsm", saved(victim))->run(victim, pixels, towards);
  EXPECT_TRUE(torch::equal(result.attacked, expected.attacked));
}

TEST_F(TransferAttack, OfCropsShowsTheSourceEachCropAsAnImage) {
  const auto victim = tiny_scorer(40);
  const auto pixels = tiny_images(1)[0];
  const auto result =
      attack("transfer:attack=fgsm", tiny_source())->run(victim, pixels, options(Direction::kUp, Unit::kCrop));
  const auto crops = victim.crops(pixels);
  for (std::int64_t i = 0; i < crops.size(0); ++i) {
    const auto alone = make_attack({"fgsm"})->run(tiny_neighbour(), crops.slice(0, i, i + 1), options());
    EXPECT_TRUE(torch::equal(result.attacked[i], alone.attacked[0])) << i;
  }
}

TEST_F(TransferAttack, AsksTheVictimNothing) {
  // Two questions, the clean image and the result, are all that this victim answers.
  FunctionVictim victim([](const torch::Tensor& image) { return 50 + image.mean().item<double>(); }, 2);
  const auto pixels = tiny_images(1)[0];
  for (const char* text : {"transfer:attack=ifgsm", "korhonen-surrogate:max-steps=4,min-steps=2"}) {
    FunctionVictim fresh = victim;
    const auto result = attack(text, tiny_source())->run(fresh, pixels, options());
    EXPECT_EQ(fresh.queries(), 2) << text;
    EXPECT_EQ(result.model_calls, 2);
    EXPECT_GT(result.linf_levels, 0);
  }
}

TEST_F(TransferAttack, PushesTheRightWayWhateverTheSourcesLabelsMean) {
  const auto pixels = tiny_images(1)[0];
  auto negated = tiny_neighbour();  // as if it had learned DMOS
  {
    const torch::NoGradGuard no_grad;
    for (const char* name : {"head.2.weight", "head.2.bias"}) {
      testing::parameter(negated.network(), name).neg_();
    }
  }
  negated.set_scale({"test", {-20, 40}, true});
  const auto source = saved(negated);
  for (const auto direction : {Direction::kUp, Direction::kDown}) {
    const auto expected =
        attack("transfer:attack=ifgsm", tiny_source())->run(tiny_scorer(), pixels, options(direction));
    const auto result = attack("transfer:attack=ifgsm", source)->run(tiny_scorer(), pixels, options(direction));
    EXPECT_TRUE(torch::equal(result.attacked, expected.attacked));
    const double change = result.attacked_raw - result.clean_raw;
    EXPECT_GT(direction == Direction::kUp ? change : -change, 0);
  }
}

TEST_F(TransferAttack, ReadsItsSourceOnceAndLeavesItAsItWas) {
  const auto source = saved(tiny_neighbour());
  const auto made = attack("transfer:attack=mifgsm", source);
  std::filesystem::remove(source);
  const auto pixels = tiny_images(2);
  const auto first = made->run(tiny_scorer(), pixels[0], options());
  static_cast<void>(made->run(tiny_scorer(), pixels[1], options(Direction::kBoth)));
  EXPECT_TRUE(torch::equal(made->run(tiny_scorer(), pixels[0], options()).attacked, first.attacked));
}

TEST_F(TransferAttack, WrongParametersAreUsageErrors) {
  EXPECT_THAT(usage_error({"transfer"}), HasSubstr("source=FILE"));
  EXPECT_THAT(usage_error({"korhonen-surrogate"}), HasSubstr("source=FILE"));
  EXPECT_THAT(usage_error(spec("transfer:attack=apg", tiny_source())), HasSubstr("'apgd'"));
  for (const char* name : {"square", "sma", "random", "transfer"}) {
    EXPECT_THAT(usage_error(spec(std::string("transfer:attack=") + name, tiny_source())),
                HasSubstr("no white-box attack on single images"));
  }
  EXPECT_THAT(usage_error(spec("transfer:attack=ifgsm,step=3", tiny_source())),
              AllOf(HasSubstr("'step'"), HasSubstr("'steps'")));
  EXPECT_THAT(usage_error(spec("korhonen-surrogate:attack=fgsm", tiny_source())), HasSubstr("'attack'"));
}

TEST_F(TransferAttack, ASourceThatIsNoModelIsAnInputErrorThatNamesIt) {
  EXPECT_THAT(input_error((folder() / "absent.safetensors").string()), HasSubstr("absent.safetensors"));
  const auto text = folder() / "text.safetensors";
  write_file_atomic(text, "this is no model\n");
  EXPECT_THAT(input_error(text.string()), HasSubstr("text.safetensors"));
  EXPECT_THAT(input_error(folder().string()), HasSubstr(folder().string()));
  auto uncalibrated = tiny_neighbour();
  uncalibrated.set_scale({});
  EXPECT_THAT(input_error(saved(uncalibrated)), AllOf(HasSubstr("source.safetensors"), HasSubstr("not calibrated")));
}

TEST_F(TransferAttack, TellsTheImagesThatItsSourceWasTrainedOn) {
  const auto pixels = tiny_images(3);
  checkpoint::Provenance provenance;
  provenance.training_images = {data::pixel_digest(pixels[2]), data::pixel_digest(pixels[0])};
  const auto source = saved(tiny_neighbour(), provenance);
  for (const char* text : {"transfer:attack=fgsm", "auto:quick=true"}) {
    const auto made = attack(text, source);
    EXPECT_THAT(made->caveats("another"), IsEmpty());
    for (const auto unit : {Unit::kImage, Unit::kCrop}) {
      for (std::size_t i = 0; i < pixels.size(); ++i) {
        const auto result = made->run(tiny_scorer(), pixels[i], options(Direction::kUp, unit));
        EXPECT_EQ(result.own_training_image, i != 1) << text << " " << i;
      }
    }
  }
  EXPECT_FALSE(make_attack({"fgsm"})->run(tiny_scorer(), pixels[0], options()).own_training_image);
}

TEST_F(TransferAttack, SaysWhatCannotBeExcluded) {
  checkpoint::Provenance provenance;
  provenance.training = {{"data", "koniq"}};
  const auto source = saved(tiny_neighbour(), provenance);
  EXPECT_THAT(attack("transfer", source)->caveats(""),
              ElementsAre(AllOf(HasSubstr("source.safetensors"), HasSubstr("images of koniq"))));
  EXPECT_THAT(attack("transfer", source)->caveats(sha256_file(source)),
              ElementsAre(HasSubstr("white-box"), HasSubstr("cannot be excluded")));
  provenance.training = 3;  // a file may say anything
  EXPECT_THAT(attack("transfer", saved(tiny_neighbour(), provenance))->caveats(""),
              ElementsAre(HasSubstr("on which images it was trained")));
}

TEST_F(TransferAttack, ResolvesToAllThatDecidesItsResult) {
  const auto source = tiny_source();
  EXPECT_EQ(attack_parameters(spec("transfer:attack=ifgsm", source)),
            (nlohmann::json{{"source", source},
                            {"source_sha256", sha256_file(source)},
                            {"attack", "ifgsm"},
                            {"steps", 10},
                            {"step-size", 0.0}}));
  const auto korhonen = attack_parameters(spec("korhonen-surrogate:mask=gradient", source));
  EXPECT_EQ(korhonen.at("mask"), "gradient");
  EXPECT_EQ(korhonen.at("rate"), 2.0);
  EXPECT_EQ(korhonen.at("source_sha256"), sha256_file(source));
  EXPECT_EQ(attack_parameters(spec("auto", source)).at("source_sha256"), sha256_file(source));
  EXPECT_FALSE(attack_parameters({"auto"}).contains("source_sha256"));
}

TEST_F(TransferAttack, ASpecIsReadAsItIsWrittenWhateverThePath) {
  for (const char* path : {"a.safetensors", "with, comma=1.safetensors", "a \"quote\".safetensors", " b"}) {
    const auto written = spec("transfer:attack=apgd,steps=3", path);
    const auto read = AttackSpec::parse(written.text());
    EXPECT_EQ(read.name, "transfer");
    EXPECT_EQ(read.parameters, written.parameters) << written.text();
  }
}

/// Whatever its mask, the surrogate's attack is korhonen on the surrogate.
TEST_F(TransferAttack, KorhonensSurrogateIsKorhonenOnTheSource) {
  const auto pixels = tiny_images(1)[0];
  auto source = tiny_neighbour();
  source.fold_batch_norm();  // as one from a file
  std::vector<torch::Tensor> attacked;
  for (const std::string mask : {"update", "gradient"}) {
    const auto parameters = "min-steps=4,max-steps=8,rate=0.5,mask=" + mask;
    const auto own = attack("korhonen-surrogate:" + parameters, tiny_source());
    const auto named = attack("transfer:attack=korhonen," + parameters, tiny_source());
    const auto direct = make_attack(AttackSpec::parse("korhonen:" + parameters));
    const auto result = own->run(tiny_scorer(), pixels, options());
    attacked.push_back(result.attacked);
    EXPECT_TRUE(torch::equal(result.attacked, named->run(tiny_scorer(), pixels, options()).attacked));
    EXPECT_TRUE(torch::equal(result.attacked, direct->run(source, pixels, options()).attacked));
  }
  EXPECT_FALSE(torch::equal(attacked[0], attacked[1]));
}

}  // namespace
}  // namespace steadyiqa::attacks
