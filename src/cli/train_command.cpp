#include "cli/common.h"

#include "base/digest.h"
#include "base/json_text.h"
#include "base/toml_file.h"
#include "cli/recipe_files.h"  // made by cmake/EmbedText.cmake
#include "data/split.h"
#include "training/trainer.h"

#include <cmath>

namespace steadyiqa::cli {
namespace {

struct TrainFlags {
  training::Recipe base;  ///< what flags and files go over
  DataFlags data;
  TableFlags sections;
  std::string recipe_file;
  std::string out = "runs/latest";
  bool resume = false;
  bool print_config = false;
  bool json = false;
  RuntimeFlags runtime;
};

/// Short spellings of the fields that people set most.
const std::vector<TableFlags::Alias>& aliases_of(const std::string& section) {
  static const std::map<std::string, std::vector<TableFlags::Alias>> kAliases = {
      {"model", {{"name", "--model"}, {"backbone", "--backbone"}, {"swin-scale", "--swin-scale"}, {"init", "--init"}}},
      {"data", {{"batch", "--batch"}, {"crops-per-image", "--crops-per-image"}}},
      {"optimiser", {{"lr", "--lr"}, {"head-ratio", "--head-ratio"}}},
      {"loss", {{"loss", "--loss"}, {"plcc-weight", "--plcc-weight"}}},
      {"regulariser",
       {{"regulariser", "--regularizer,--regulariser"},
        {"lambda", "--lambda"},
        {"step", "--step"},
        {"unit", "--step-unit"},
        {"penalty", "--penalty"},
        {"gradient", "--gradient"},
        {"relative-to", "--relative-to"},
        {"start-epoch", "--start-epoch"},
        {"ramp-epochs", "--ramp-epochs"}}},
      {"run", {{"epochs", "--epochs"}, {"seed", "--seed"}, {"select", "--select"}}},
  };
  static const std::vector<TableFlags::Alias> kNone;
  const auto found = kAliases.find(section);
  return found == kAliases.end() ? kNone : found->second;
}

training::Recipe resolve_recipe(const TrainFlags& flags) {
  auto recipe = flags.base;
  if (!flags.recipe_file.empty()) {
    training::apply_recipe_file(recipe, flags.recipe_file);
  }
  training::for_each_section(recipe, [&](const std::string& name, auto& section, const auto& table) {
    flags.sections.apply(name + ".", section, table);
  });
  return recipe;
}

training::TrainingData training_data(const TrainFlags& flags, const training::Recipe& recipe) {
  const auto dataset = flags.data.open();
  training::TrainingData data{data::subset(dataset, "train"), std::nullopt};
  const std::string set = recipe.run.select == training::Selection::kTest ? "test" : "val";
  const bool present = std::any_of(dataset.samples.begin(), dataset.samples.end(),
                                   [&](const data::Sample& sample) { return sample.set == set; });
  if (present || recipe.run.select != training::Selection::kLast) {
    data.selection = data::subset(dataset, set);
  }
  return data;
}

int run_train(const TrainFlags& flags) {
  const auto recipe = resolve_recipe(flags);
  if (flags.print_config) {
    print(training::recipe_to_toml(recipe));
    return 0;
  }
  if (flags.data.spec.empty()) {
    fail_usage("train needs --data");
  }
  flags.runtime.apply();
  const auto data = training_data(flags, recipe);
  const auto result = training::train(recipe, data, flags.out, flags.resume);
  if (flags.json) {
    auto json = output_head("train", training::recipe_to_json(recipe));
    json["data"] = {{"train", data.train.digest()}, {"images", data.train.samples.size()}};
    json["best"] = {{"path", result.best.string()}, {"epoch", result.best_epoch}, {"sha256", sha256_file(result.best)}};
    json["best"]["srocc"] = std::isfinite(result.best_srocc) ? nlohmann::json(result.best_srocc) : nullptr;
    json["last"] = {{"path", result.last.string()}, {"sha256", sha256_file(result.last)}};
    print(json_text(json) + "\n");
  } else {
    const auto srocc = std::isfinite(result.best_srocc)
                           ? fmt::format(", clean SROCC {:.4f} on the selection set", result.best_srocc)
                           : std::string();
    print(fmt::format("best: epoch {}{} -> {}\nlast: -> {}\n", result.best_epoch + 1, srocc, result.best.string(),
                      result.last.string()));
  }
  return 0;
}

Command add_training(CLI::App& parent, const std::string& name, const std::string& help, const training::Recipe& base) {
  auto flags = std::make_shared<TrainFlags>();
  flags->base = base;
  auto* sub = parent.add_subcommand(name, help);
  flags->data.add(*sub, /*required=*/false);
  sub->add_option("--recipe", flags->recipe_file, "TOML recipe; flags override it");
  sub->add_option("--out", flags->out, "run directory")->capture_default_str();
  sub->add_flag("--resume", flags->resume, "continue the run in --out, to the same bits as an uninterrupted one");
  sub->add_flag("--print-config", flags->print_config, "print the resolved recipe as TOML and stop");
  sub->add_flag("--json", flags->json, "the result as JSON");
  flags->runtime.add(*sub);
  training::for_each_section(base, [&](const std::string& section, const auto& /*fields*/, const auto& table) {
    flags->sections.add(*sub, section + ".", table, "Recipe [" + section + "]", aliases_of(section));
  });
  return {sub, [flags] { return run_train(*flags); }};
}

}  // namespace

Command add_train(CLI::App& app) {
  return add_training(app, "train", "train a model, with or without gradient-norm regularisation", {});
}

Command add_train_surrogate(CLI::App& app) {
  training::Recipe recipe;
  training::apply_recipe_json(recipe, parse_toml(kKorhonenSurrogate, "korhonen-surrogate.toml"),
                              "korhonen-surrogate.toml");
  return add_training(
      app, "surrogate",
      "Korhonen and You's model, for attack korhonen-surrogate: `train` with recipes/korhonen-surrogate.toml", recipe);
}

}  // namespace steadyiqa::cli
