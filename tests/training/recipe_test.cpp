#include "training/recipe.h"

#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"
#include "places.h"

#include <gtest/gtest.h>

namespace steadyiqa::training {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::repository;

class RecipeFile : public ::steadyiqa::testing::TempFolder {
 protected:
  [[nodiscard]] std::filesystem::path write(const std::string& text) const {
    const auto path = folder() / "recipe.toml";
    write_file_atomic(path, text);
    return path;
  }
};

TEST_F(RecipeFile, SurvivesTheWayThroughToml) {
  Recipe recipe;
  recipe.model = {.name = "compact", .backbone = "", .init = "a \"quoted\" \\ päth.safetensors"};
  recipe.data = {.crop = 64, .crops_per_image = 3, .batch = 7, .flip = data::Flip::kNone};
  recipe.optimiser.lr = 1.0 / 3.0;
  recipe.optimiser.weight_decay = 1e-30;
  recipe.optimiser.schedule = ScheduleKind::kCosine;
  recipe.optimiser.quirks = OptimiserQuirks::kOfficial;
  recipe.loss.loss = objective::LossKind::kMse;
  recipe.regulariser.regulariser = objective::RegulariserKind::kNt;
  recipe.regulariser.gradient = objective::NormGradient::kExact;
  recipe.input = {.resize = "500x500,498x664",
                  .filter = image::Filter::kOpencvCubic,
                  .small_images = image::SmallImages::kPastCrop,
                  .orientation = image::Orientation::kIgnored};
  recipe.scoring.kind = image::CropKind::kCentre;
  recipe.run.seed = (1LL << 53) - 1;
  recipe.run.select = Selection::kLast;
  Recipe read;
  ASSERT_NE(recipe_to_json(read), recipe_to_json(recipe));
  apply_recipe_file(read, write(recipe_to_toml(recipe)));
  EXPECT_EQ(recipe_to_json(read), recipe_to_json(recipe));
}

TEST_F(RecipeFile, SetsOnlyWhatItSays) {
  Recipe recipe;
  apply_recipe_file(recipe, write("[run]\nepochs = 3\n[regulariser]\nlambda = 1\n"));
  auto expected = recipe_to_json(Recipe{});
  expected["run"]["epochs"] = 3;
  expected["regulariser"]["lambda"] = 1.0;
  EXPECT_EQ(recipe_to_json(recipe), expected);
}

TEST_F(RecipeFile, AnUnknownNameIsAnErrorThatSaysWhereAndNamesTheNearest) {
  struct Case {
    const char* text;
    const char* where;
    const char* nearest;
  };
  for (const auto& [text, where, nearest] :
       {Case{"[optimiser]\nlearning-rate = 1e-3\nweigth-decay = 0\n", "recipe.toml [optimiser]: unknown key", ""},
        {"[optimiser]\nweigth-decay = 0\n", "recipe.toml [optimiser]: unknown key 'weigth-decay'", "'weight-decay'"},
        {"[regularizer]\nlambda = 1\n", "recipe.toml: unknown section [regularizer]", "'regulariser'"},
        {"epochs = 3\n", "recipe.toml: unknown section [epochs]", ""},
        {"run = 3\n", "recipe.toml: 'run' must be a table", ""},
        {"[run]\nselect = \"best\"\n", "recipe.toml [run]: select", "test"},
        {"[data]\nbatch = 0\n", "recipe.toml [data]: batch", ""},
        {"[data]\nflip = \"diagonal\"\n", "recipe.toml [data]: flip", ""},
        {"[data\n", "recipe.toml:1", ""}}) {
    Recipe recipe;
    const auto message = error_message(ErrorKind::kUsage, [&] { apply_recipe_file(recipe, write(text)); });
    EXPECT_NE(message.find(where), std::string::npos) << message;
    EXPECT_NE(message.find(nearest), std::string::npos) << message;
  }
}

TEST(ShippedRecipes, AllLoad) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(repository() / "recipes")) {
    if (entry.path().extension() == ".toml") {
      Recipe recipe;
      EXPECT_NO_THROW(apply_recipe_file(recipe, entry.path())) << entry.path();
      ++count;
    }
  }
  EXPECT_GE(count, 2);
}

// jarikorhonen/adversarial-iqa, trainSubstituteModel.m: half of the squared error, rate 5e-4, L2 0.01.
TEST(ShippedRecipes, KorhonensTakesTheStepsOfTheAuthorsCode) {
  Recipe recipe;
  apply_recipe_file(recipe, repository() / "recipes" / "korhonen-surrogate.toml");
  EXPECT_EQ(recipe.model.name, "korhonen");
  EXPECT_EQ(recipe.model.backbone, "");
  EXPECT_EQ(recipe.optimiser.algorithm, Algorithm::kSgd);
  EXPECT_EQ(recipe.loss.loss, objective::LossKind::kMse);
  EXPECT_EQ(2 * recipe.optimiser.lr, 5e-4);
  EXPECT_EQ(recipe.optimiser.lr * recipe.optimiser.weight_decay, 5e-4 * 0.01);
  EXPECT_EQ(recipe.optimiser.head_ratio, 2);
  EXPECT_EQ(recipe.data.batch, 16);
  EXPECT_EQ(recipe.run.epochs, 2);
  EXPECT_EQ(recipe.input.resize, "384x512");
  EXPECT_EQ(recipe.data.crops, TrainingCrops::kWhole);
}

TEST(ShippedRecipes, ThePapersSaysWhatTheAuthorsCodeDoes) {
  Recipe recipe;
  apply_recipe_file(recipe, repository() / "recipes" / "hyperiqa-paper.toml");
  EXPECT_EQ(recipe.optimiser.quirks, OptimiserQuirks::kOfficial);
  EXPECT_EQ(recipe.run.select, Selection::kTest);
  EXPECT_EQ(recipe.run.epochs, 16);
  EXPECT_EQ(recipe.optimiser.lr, 2e-5);
  EXPECT_EQ(recipe.optimiser.head_ratio, 10);
  EXPECT_EQ(recipe.optimiser.weight_decay, 5e-4);
  EXPECT_EQ(recipe.data.batch, 16);
  EXPECT_EQ(recipe.data.crops_per_image, 25);
  EXPECT_EQ(recipe.regulariser.lambda, 1e-3);
  EXPECT_EQ(recipe.regulariser.step, 0.01);
  EXPECT_EQ(recipe.regulariser.unit, objective::StepUnit::kNormalised);
  EXPECT_EQ(recipe.regulariser.penalty, objective::Penalty::kSquared);
  EXPECT_EQ(recipe.regulariser.gradient, objective::NormGradient::kFiniteDifference);
  EXPECT_EQ(recipe.regulariser.batch_norm, objective::BatchNormMode::kTrain);
  EXPECT_EQ(recipe.regulariser.clean_pass, objective::CleanPass::kSeparate);
}

}  // namespace
}  // namespace steadyiqa::training
