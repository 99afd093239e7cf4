// What a training run leaves on disk, written so that kill -9 at any point loses at most the epoch in hand.
//   recipe.toml        the resolved recipe
//   log.jsonl          one JSON object per logged step and per epoch
//   state.safetensors  weights, their average, optimiser, position: what --resume continues from, bit for bit
//   best.safetensors   the selected epoch's model     last.safetensors   the last epoch's model
#pragma once

#include "checkpoint/model_file.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>

namespace steadyiqa::training {

/// Where a run stands after a finished epoch.
struct Position {
  std::int64_t epochs_done = 0;
  std::int64_t best_epoch = -1;
  double best_srocc = -std::numeric_limits<double>::infinity();
  bool finished = false;  ///< calibrated models are written
};

class RunDirectory {
 public:
  /// Creates `dir`. A directory that already holds a run is an Error(kUsage) unless `resume`; with `resume` one that
  /// holds none starts a new run. `identity` (recipe and data digest) must equal the stored run's.
  RunDirectory(std::filesystem::path dir, bool resume, const nlohmann::json& identity);

  struct Saved {
    Position position;
    checkpoint::TensorMap network;
    checkpoint::TensorMap optimiser;
    checkpoint::TensorMap average;  ///< of the weights; empty where the recipe wants none
  };
  /// The saved state, when there is one to resume.
  [[nodiscard]] std::optional<Saved> saved() const;
  /// Atomic. Call after the epoch's best model is written: a crash in between only repeats the epoch.
  void save_state(const Saved& state) const;
  /// Drops log lines of epochs that are not in the saved state (their epoch will run again).
  void trim_log(std::int64_t epochs_done) const;
  void log(const nlohmann::json& line) const;

  [[nodiscard]] std::filesystem::path best_model() const { return dir_ / "best.safetensors"; }
  [[nodiscard]] std::filesystem::path last_model() const { return dir_ / "last.safetensors"; }
  [[nodiscard]] const std::filesystem::path& path() const { return dir_; }
  [[nodiscard]] std::filesystem::path state_file() const { return dir_ / "state.safetensors"; }

 private:
  std::filesystem::path dir_;
  nlohmann::json identity_;
};

}  // namespace steadyiqa::training
