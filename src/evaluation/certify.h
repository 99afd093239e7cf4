// A guarantee for one image: the interval that no small change of it can take the smoothed score out of.
#pragma once

#include "base/options.h"
#include "models/scorer.h"

#include <torch/types.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace steadyiqa::evaluation {

struct CertifyOptions {
  double sigma = 0.12;   ///< of the noise, [0,1] pixels
  double radius = 0.05;  ///< l2 norm of the change over all pixels and channels, [0,1] pixels
  std::int64_t samples = 1000;
  double confidence = 0.999;  ///< of each end
  std::int64_t seed = 0;
};
[[nodiscard]] const FieldTable<CertifyOptions>& certify_fields();

/// Calibrated scores, higher is better.
struct CertifiedScore {
  double median = 0;  ///< of the noisy scores: the smoothed model's score
  struct Bounds {
    double low = 0;
    double high = 0;
    double delta = 0;  ///< max(high - median, median - low)
  };
  std::optional<Bounds> bounds{};  ///< nothing where the samples are too few for the radius and confidence
  double linf_equivalent = 0;      ///< radius / sqrt(3HW): an l-infinity budget that lies within the radius
};

/// Median randomised smoothing of the scorer, its purification (a denoiser) included: scores of x + sigma N(0,1), not
/// clipped. The noise of sample i is a function of (seed, pixels, i), so that neither order nor shards change anything.
/// pixels: [1,3,H,W]. Throws Error(kNumeric) for a score that is not finite.
[[nodiscard]] CertifiedScore certify(const models::Scorer& scorer, const torch::Tensor& pixels,
                                     const CertifyOptions& options);

/// Numbers that do not exist are null.
[[nodiscard]] nlohmann::json to_json(const CertifiedScore& score);

}  // namespace steadyiqa::evaluation
