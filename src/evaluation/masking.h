// Is a model's robustness real, or does its gradient only hide the way? (Athalye, Carlini, Wagner 2018; Carlini et al.
// 2019: what a sound evaluation shows.)
#pragma once

#include "checkpoint/model_file.h"
#include "data/dataset.h"
#include "evaluation/masking_report.h"

#include <cstdint>
#include <string>

namespace steadyiqa::evaluation {

struct MaskingOptions {
  double epsilon = 4.0 / 255.0;  ///< [0,1] pixels
  std::int64_t queries = 300;    ///< of the black-box attack
  std::int64_t steps = 40;       ///< of the strongest gradient attack
  std::int64_t seed = 0;
};

/// Runs the checks on every image of the set, each pushed down where its calibrated score is above 50, else up:
/// white box (I-FGSM) at least as strong as black box (Square); more steps and a larger budget at least as strong;
/// random signs no stronger than FGSM; the gradient agrees with finite differences; no image without a gradient; scores
/// repeat; rho = |f(x + eps sign g) - f(x)| / (eps ||g||_1) for information. An image counts as weaker only by more
/// than 1 % and 0.05 points: 8-bit rounding moves scores by that much.
/// Of a purified model: attacks are adaptive, and the derivative is that of the purified score. A straight-through
/// gradient is none of it and is compared over steps of whole levels, for smaller ones vanish in the purifier: a failed
/// check there says how far the stand-in is off. Of a random one: scores repeat because the draws are keyed by the
/// image, so their spread over other draws is given beside it.
[[nodiscard]] MaskingReport masking_report(const checkpoint::LoadedModel& model, const std::string& model_path,
                                           const data::Dataset& dataset, const MaskingOptions& options);

}  // namespace steadyiqa::evaluation
