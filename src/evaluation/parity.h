// The parity self-test behind `doctor`: what a build computes from integer-hash weights and input, to be compared with
// values made by the authors' published code.
#pragma once

#include "models/catalogue.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace steadyiqa::evaluation {

struct ParityOptions {
  std::string model = "hyperiqa";
  std::string backbone{};     ///< "" = the paper's
  std::uint32_t seed = 9999;  ///< of the input
  std::int64_t batch = 2;
  std::int64_t height = 224;
  std::int64_t width = 224;
  double swin_scale = models::kSwinScale;  ///< of models that have one
};

/// Scores of the hash-weight network in eval mode, {"seed","batch","mos","eval":{"score":[...]}}, and for a network
/// with several outputs all of them, {"eval":{"outputs":[[q6,q7,q],...]}}. For hyperiqa also, in eval and in train
/// mode: input-gradient l1 norms in both units, finite differences at h 0.01 and 0.001, L1 loss, NT regulariser
/// (squared, one-sided, h 0.01), their total at weight 0.001 with three forward passes, and parameter-gradient l2
/// norms. Those are made by libtorch's own kernels (parallel::PlainKernels); "fast_kernels" holds the eval-mode scores
/// by the kernels that every other command runs.
[[nodiscard]] nlohmann::json parity_values(const ParityOptions& options);

/// Largest relative difference of the numbers in `values` from those of `golden` (a tree of the same keys; absent keys
/// are an Error(kInput)), over the keys of `section` ("eval", "train").
[[nodiscard]] double parity_difference(const nlohmann::json& values, const nlohmann::json& golden,
                                       const std::string& section);

}  // namespace steadyiqa::evaluation
