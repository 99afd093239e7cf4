// A training run of a second or less: the compact model on the tiny set.
#pragma once

#include "base/file.h"
#include "base/log.h"
#include "base/temp_folder.h"
#include "parallel/runtime.h"
#include "scoring/tiny_files.h"
#include "training/trainer.h"

#include <nlohmann/json.hpp>

#include <sstream>
#include <string>
#include <vector>

namespace steadyiqa::testing {

inline training::Recipe tiny_recipe() {
  training::Recipe recipe;
  recipe.model.name = "compact";
  recipe.data = {.crop = kTinyCrop, .crops_per_image = 2, .batch = 8};
  recipe.optimiser.lr = 3e-3;
  recipe.optimiser.head_ratio = 1;
  recipe.optimiser.weight_decay = 0;
  recipe.optimiser.schedule = training::ScheduleKind::kCosine;
  recipe.scoring.count = 1;
  recipe.run.epochs = 2;
  recipe.run.seed = 5;
  recipe.run.log_steps = 1;
  return recipe;
}

inline training::TrainingData tiny_data() {
  const auto& dataset = tiny_files().dataset();
  return {data::subset(dataset, "train"), data::subset(dataset, "val")};
}

class TinyRun : public TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    parallel::configure_threads(1);
    set_progress_mode(ProgressMode::kQuiet);
  }
  training::TrainingResult train(const training::Recipe& recipe, const std::string& name, bool resume = false) const {
    return training::train(recipe, tiny_data(), folder() / name, resume);
  }
  /// The run's log without the times: of each step, or with `epochs_only` of each epoch.
  [[nodiscard]] std::vector<nlohmann::json> log(const std::string& name, bool epochs_only = false) const {
    std::istringstream lines(read_text_file(folder() / name / "log.jsonl"));
    std::vector<nlohmann::json> log;
    for (std::string line; std::getline(lines, line);) {
      auto json = nlohmann::json::parse(line);
      json.erase("seconds");
      if (!epochs_only || !json.contains("step")) {
        log.push_back(std::move(json));
      }
    }
    return log;
  }
};

}  // namespace steadyiqa::testing
