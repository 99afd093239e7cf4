#include "training/recipe.h"

#include "base/toml_file.h"

namespace steadyiqa::training {

const FieldTable<ModelSection>& model_fields() {
  using M = ModelSection;
  static const FieldTable<M> kFields = {
      field("name", &M::name, {.help = "model of the catalogue"}),
      field("backbone", &M::backbone, {.help = "trunk; empty = the paper's"}),
      field("swin-scale", &M::swin_scale,
            {.help = "maniqa: weight of a Swin layer beside its input; 0.8, or 0.13 as in its PIPAL weights",
             .min = -100,
             .max = 100}),
      field("init", &M::init, {.help = "file to start from: a pretrained trunk (several: commas between), or a model"}),
  };
  return kFields;
}

const FieldTable<DataSection>& data_fields() {
  using D = DataSection;
  static const FieldTable<D> kFields = {
      field("crops", &D::crops, {"random", "whole"},
            {.help = "what a step sees: random crops, or whole images, which input.resize brings to one size"}),
      field("crop", &D::crop, {.help = "side of a crop; 0 = the model's own", .unit = "pixels", .min = 0, .max = 4096}),
      field("crops-per-image", &D::crops_per_image,
            {.help = "random crops of each image in an epoch", .unit = "crops", .min = 1, .max = 1000}),
      field("batch", &D::batch, {.help = "crops in a step", .unit = "crops", .min = 1, .max = 4096}),
      field("drop-last", &D::drop_last, {.help = "leave out an epoch's last batch when it is not full"}),
      field("flip", &D::flip, {"none", "horizontal", "vertical"}, {.help = "random flip of a crop"}),
      field("flip-probability", &D::flip_probability, {.help = "share of crops that are flipped", .min = 0, .max = 1}),
      field("labels", &D::labels, {"raw", "points", "unit"},
            {.help = "what the network learns: the raw labels; 0-100, higher is better; or the training set's lowest "
                     "to highest label as 0-1"}),
  };
  return kFields;
}

const FieldTable<OptimiserSection>& optimiser_fields() {
  using O = OptimiserSection;
  static const FieldTable<O> kFields = {
      field("algorithm", &O::algorithm, {"adam", "sgd"}, {.help = "optimiser"}),
      field("momentum", &O::momentum, {.help = "of sgd", .min = 0, .max = 1}),
      field("trainable", &O::trainable, {"all", "head"}, {.help = "head: the trunk's parameters stay as they are"}),
      field("lr", &O::lr, {.help = "learning rate of the trunk", .min = 0, .max = 10}),
      field("head-ratio", &O::head_ratio, {.help = "the head's learning rate over the trunk's", .min = 0, .max = 1e6}),
      field("bias-to-mean", &O::bias_to_mean,
            {.help = "the output bias starts at the training set's mean MOS (no model file)"}),
      field("weight-decay", &O::weight_decay, {.help = "L2 penalty, coupled as in PyTorch's Adam and SGD", .min = 0}),
      field("schedule", &O::schedule, {"constant", "step", "cosine", "cosine-cycle"},
            {.help = "of both rates; cosine-cycle: down and up again, as MANIQA's code"}),
      field("step-epochs", &O::step_epochs,
            {.help = "schedule step: rates / 10 every so many epochs", .unit = "epochs", .min = 1}),
      field("cycle-steps", &O::cycle_steps,
            {.help = "schedule cosine-cycle: from lr to 0, and back", .unit = "steps", .min = 1}),
      field("warmup-steps", &O::warmup_steps,
            {.help = "rates grow linearly over the first steps", .unit = "steps", .min = 0}),
      field("batch-norm", &O::batch_norm, {"train", "frozen"},
            {.help = "BatchNorm of the network in training: batch statistics, or the pretrained running ones"}),
      field("batch-norm-epochs", &O::batch_norm_epochs,
            {.help = "with frozen: the first so many epochs still train on batch statistics",
             .unit = "epochs",
             .min = 0}),
      field("quirks", &O::quirks, {"none", "official"},
            {.help = "official: the authors' optimiser bugs (Adam rebuilt each epoch, head frozen after the first)"}),
  };
  return kFields;
}

const FieldTable<RunSection>& run_fields() {
  using R = RunSection;
  static const FieldTable<R> kFields = {
      field("epochs", &R::epochs, {.help = "passes over the training set", .unit = "epochs", .min = 1, .max = 100000}),
      field("seed", &R::seed, {.help = "of every random choice of the run", .min = 0}),
      field(
          "average", &R::average,
          {.help = "decay per step of a running average of the weights, which is then what is validated and saved; 0 = "
                   "the weights themselves",
           .min = 0,
           .max = 0.99999}),
      field("select", &R::select, {"validation", "test", "last"},
            {.help = "which epoch becomes best.safetensors; test leaks and is for reproduction only"}),
      field("select-from", &R::select_from, {.help = "first epoch that may be selected", .unit = "epochs", .min = 0}),
      field("precision", &R::precision, models::precision_names(),
            {.help = "of the trunk's convolutions in training: bfloat16 takes half the time and memory where the "
                     "processor has it; weights, BatchNorm and head stay float32"}),
      field("checkpoint-activations", &R::checkpoint_activations,
            {.help = "blocks of the trunk keep their input alone and run once more in each backward pass: less memory, "
                     "more time, the same gradients"}),
      field("log-steps", &R::log_steps, {.help = "a log line every so many steps", .unit = "steps", .min = 1}),
      field("calibration-images", &R::calibration_images,
            {.help = "at most so many training images fit the calibration line", .unit = "images", .min = 2}),
  };
  return kFields;
}

void apply_recipe_json(Recipe& recipe, const nlohmann::json& json, const std::string& where) {
  std::vector<std::string> known;
  for_each_section(recipe, [&](const std::string& name, auto& section, const auto& table) {
    known.push_back(name);
    if (json.contains(name)) {
      if (!json.at(name).is_object()) {
        fail_usage("{}: '{}' must be a table", where, name);
      }
      options_from_json(section, table, json.at(name), fmt::format("{} [{}]", where, name));
    }
  });
  for (const auto& [name, value] : json.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      fail_usage("{}: unknown section [{}]{}", where, name, suggestion(name, known));
    }
  }
}

void apply_recipe_file(Recipe& recipe, const std::filesystem::path& path) {
  apply_recipe_json(recipe, read_toml(path), path.string());
}

nlohmann::json recipe_to_json(const Recipe& recipe) {
  nlohmann::json json = nlohmann::json::object();
  for_each_section(recipe, [&](const std::string& name, const auto& section, const auto& table) {
    json[name] = options_to_json(section, table);
  });
  return json;
}

std::string recipe_to_toml(const Recipe& recipe) {
  std::string text;
  for_each_section(recipe, [&](const std::string& name, const auto& section, const auto& table) {
    text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", name);
    for (const auto& f : table) {
      text += fmt::format("{} = {}  # {}\n", f.name, f.get(section).dump(), f.info.help);
    }
  });
  return text;
}

}  // namespace steadyiqa::training
