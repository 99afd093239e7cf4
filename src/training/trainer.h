// The training run: epochs of steps, validation, selection, state on disk.
#pragma once

#include "data/dataset.h"
#include "models/scorer.h"
#include "stats/robustness.h"
#include "training/recipe.h"
#include "training/run_directory.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace steadyiqa::training {

/// What a run works on. `selection` is the validation set, or the test set under select = test; empty with select =
/// last and no validation set.
struct TrainingData {
  data::Dataset train;
  std::optional<data::Dataset> selection;
};

struct TrainingResult {
  std::filesystem::path best;  ///< calibrated model of the selected epoch
  std::filesystem::path last;  ///< calibrated model of the last epoch
  std::int64_t best_epoch = 0;
  double best_srocc = 0;  ///< clean, on the selection set; NaN when there is none
};

/// Trains by the recipe into `dir`. Progress on stderr. With `resume`, continues a stopped run to the same bits as an
/// uninterrupted one. Throws Error(kInterrupted) on Ctrl-C (state of the last finished epoch is on disk),
/// Error(kNumeric) when the loss is not finite.
TrainingResult train(const Recipe& recipe, const TrainingData& data, const std::filesystem::path& dir, bool resume);

/// From the set's raw labels to what the network learns. Throws Error(kInput) for unit labels that are all equal.
[[nodiscard]] stats::Affine label_map(Labels labels, const data::Dataset& train);

/// The scorer that a recipe describes, with fresh weights from the recipe's seed or its `init` file, its output bias at
/// the mean label of `train` where the recipe wants that.
[[nodiscard]] models::Scorer make_scorer(const Recipe& recipe, const data::Dataset& train);

}  // namespace steadyiqa::training
