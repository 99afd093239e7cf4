// A Scorer to export.
#pragma once

#include "models/model_test_support.h"
#include "models/scorer.h"

#include <string>
#include <utility>

namespace steadyiqa::testing {

/// A hash-weight network of the catalogue with a calibration that spreads its scores over tens of points.
inline models::Scorer hash_scorer(const std::string& name, const std::string& backbone, int crop) {
  auto network = models::make_network(name, backbone);
  models::fill_hash_weights(*network);
  models::ScorerOptions options;
  options.model = name;
  options.backbone = backbone;
  options.crop = crop;
  options.crops = {.kind = image::CropKind::kRandom, .count = 5, .seed = 77};
  options.normalisation = {{0.5, 0.4, 0.3}, {0.2, 0.25, 0.3}};
  options.scale = {.name = "MOS 0-100 of a test", .calibration = {31.25, -7.5}, .calibrated = true};
  return {std::move(network), options};
}

}  // namespace steadyiqa::testing
