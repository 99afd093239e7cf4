// What `bench` measures: the work of the other commands, on fixed inputs, timed.
#pragma once

#include "attacks/attack.h"
#include "benchmark/peak.h"
#include "benchmark/timing.h"
#include "models/scorer.h"
#include "objective/regulariser.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::benchmark {

/// A training step on hash weights and a hash image batch (models/hash_weights.h), labels 0, 10, 20, ...: the same
/// numbers on every machine, no files.
struct NtStepOptions {
  std::string model = "hyperiqa";
  std::string backbone{};  ///< "" = the paper's
  std::int64_t batch = 8;
  objective::BatchNormMode batch_norm = objective::BatchNormMode::kTrain;  ///< of the network
  objective::RegulariserOptions regulariser{};
  models::Precision precision = models::Precision::kFloat32;
  bool checkpoint_activations = false;
};

/// Forward passes, in units of one, that a step's passes cost: forward 1, input gradient 1, backward through a pass 2,
/// through a tangent pass (twice a forward) 4.
[[nodiscard]] double step_cost(const objective::RegulariserOptions& options, objective::BatchNormMode batch_norm);

/// Each result: "seconds" (of one step, round over all images, ...), rates, "peak_memory_bytes" of the process; where a
/// network runs "gflops" and, on the processor, "share_of_peak" (of the precision's peak, of useful multiply-adds
/// only). `nt_step` gives "first_step" (loss, penalty, gradient_norm) to compare with another program's, `score` and
/// `attack` "images" with their scores.
[[nodiscard]] nlohmann::json nt_step(const NtStepOptions& options, const Repeats& repeats, const Peak& peak);

/// End to end: files decoded in the background, scored, in rounds; and the network alone on one image's crops.
[[nodiscard]] nlohmann::json score(const models::Scorer& scorer, std::span<const std::filesystem::path> images,
                                   const Repeats& repeats, const Peak& peak);

/// The attack alone, score before and judging included, decoding not.
[[nodiscard]] nlohmann::json attack(const models::Scorer& scorer, std::span<const std::filesystem::path> images,
                                    const attacks::AttackOptions& options, const Repeats& repeats);

/// Files to pixel tensors, in the background threads that `score` uses.
[[nodiscard]] nlohmann::json decode(std::span<const std::filesystem::path> images, const Repeats& repeats);

/// A process from nothing: `program --version`, and with a model `program score --model MODEL IMAGE`.
[[nodiscard]] nlohmann::json startup(const std::filesystem::path& program, const std::filesystem::path& model,
                                     const std::filesystem::path& image, int threads, const Repeats& repeats);

}  // namespace steadyiqa::benchmark
