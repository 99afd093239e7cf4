// A training recipe: every choice of a run, as TOML sections and as flags.
#pragma once

#include "base/options.h"
#include "data/loader.h"
#include "models/scorer.h"
#include "objective/losses.h"
#include "objective/regulariser.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace steadyiqa::training {

struct ModelSection {
  std::string name = "hyperiqa";
  std::string backbone{};                  ///< "" = the paper's
  double swin_scale = models::kSwinScale;  ///< of models that have one
  std::string init{};  ///< files to start from, commas between: pretrained trunks or a model, "" = none
};

/// What the network learns to put out.
enum class Labels {
  kRaw,     ///< the data set's own labels
  kPoints,  ///< 0-100, higher is better
  kUnit     ///< 0-1: the training set's lowest label to its highest (MANIQA)
};

enum class TrainingCrops {
  kRandom,
  kWhole  ///< the image as input.resize leaves it (LinearityIQA's 498x664): every image of a batch must have one size
};

struct DataSection {
  TrainingCrops crops = TrainingCrops::kRandom;
  std::int64_t crop = 0;  ///< side of a training and scoring crop, 0 = the model's own
  std::int64_t crops_per_image = 1;
  std::int64_t batch = 16;
  bool drop_last = false;  ///< an epoch's last batch is left out when it is not full
  data::Flip flip = data::Flip::kHorizontal;
  double flip_probability = 0.5;
  Labels labels = Labels::kRaw;
};

enum class Algorithm { kAdam, kSgd };
enum class Trainable {
  kAll,
  kHead  ///< the trunk's parameters stay (DBCNN's first stage); its BatchNorm does what `batch_norm` says
};
enum class ScheduleKind {
  kConstant,
  kStep,
  kCosine,
  kCosineCycle  ///< down and up again, for ever: PyTorch's CosineAnnealingLR stepped beyond T_max (MANIQA's code)
};
enum class OptimiserQuirks {
  kNone,
  kOfficial  ///< HyperIQA's and NT's code: Adam rebuilt each epoch, head's group empty after the first, trunk rate
             ///< never decayed
};

struct OptimiserSection {
  Algorithm algorithm = Algorithm::kAdam;
  double momentum = 0.9;  ///< of SGD
  Trainable trainable = Trainable::kAll;
  double lr = 2e-5;            ///< of the trunk
  double head_ratio = 10.0;    ///< head's rate = lr x ratio
  bool bias_to_mean = true;    ///< the output bias starts at the training set's mean MOS
  double weight_decay = 5e-4;  ///< coupled (L2), as in PyTorch's Adam and SGD
  ScheduleKind schedule = ScheduleKind::kStep;
  std::int64_t step_epochs = 6;   ///< step: rates are divided by 10 every so many epochs
  std::int64_t cycle_steps = 50;  ///< cosine-cycle: steps from lr down to 0, and from 0 up to lr
  double warmup_steps = 0;        ///< rates grow linearly over the first steps
  objective::BatchNormMode batch_norm = objective::BatchNormMode::kTrain;  ///< of the network in training
  std::int64_t batch_norm_epochs = 0;  ///< with `frozen`: the first epochs still use and update batch statistics
  OptimiserQuirks quirks = OptimiserQuirks::kNone;
};

enum class Selection {
  kValidation,  ///< best epoch by SROCC on the validation set
  kTest,        ///< by SROCC on the test set: the authors' leak, for reproduction only
  kLast         ///< the last epoch
};

struct RunSection {
  std::int64_t epochs = 16;
  std::int64_t seed = 0;
  double average = 0.0;  ///< decay of the running average of the weights that is validated and saved; 0 = none
  Selection select = Selection::kValidation;
  std::int64_t select_from = 0;  ///< first epoch that may be selected (after lambda's ramp, say)
  models::Precision precision = models::Precision::kFloat32;  ///< of the trunk in training; models are float32 files
  bool checkpoint_activations = false;     ///< blocks of the trunk run once more in a backward pass, for less memory
  std::int64_t log_steps = 10;             ///< a log line every so many steps
  std::int64_t calibration_images = 1000;  ///< at most so many training images fit the calibration line
};

struct Recipe {
  ModelSection model{};
  DataSection data{};
  OptimiserSection optimiser{};
  objective::LossOptions loss{};
  objective::RegulariserOptions regulariser{};
  image::InputPolicy input{};
  image::CropPolicy scoring{};
  RunSection run{};
};

[[nodiscard]] const FieldTable<ModelSection>& model_fields();
[[nodiscard]] const FieldTable<DataSection>& data_fields();
[[nodiscard]] const FieldTable<OptimiserSection>& optimiser_fields();
[[nodiscard]] const FieldTable<RunSection>& run_fields();

/// Calls `visit(section name, section struct, field table)` for every section: the one list of a recipe's sections.
template <class RecipeT, class Visit>
void for_each_section(RecipeT& recipe, Visit&& visit) {
  visit("model", recipe.model, model_fields());
  visit("data", recipe.data, data_fields());
  visit("optimiser", recipe.optimiser, optimiser_fields());
  visit("loss", recipe.loss, objective::loss_fields());
  visit("regulariser", recipe.regulariser, objective::regulariser_fields());
  visit("input", recipe.input, image::input_policy_fields());
  visit("scoring", recipe.scoring, image::crop_policy_fields());
  visit("run", recipe.run, run_fields());
}

/// Sets what the file says and leaves the rest. Error(kUsage) "FILE [section]: ..." for unknown sections and keys.
void apply_recipe_file(Recipe& recipe, const std::filesystem::path& path);
void apply_recipe_json(Recipe& recipe, const nlohmann::json& json, const std::string& where);
[[nodiscard]] nlohmann::json recipe_to_json(const Recipe& recipe);
/// The resolved recipe as TOML with each key's help as a comment.
[[nodiscard]] std::string recipe_to_toml(const Recipe& recipe);

}  // namespace steadyiqa::training
