// The Scorer: pixels in [0,1] to a score, with everything in between inside it.
#pragma once

#include "base/options.h"
#include "models/catalogue.h"
#include "stats/robustness.h"

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::models {

enum class CropKind { kGrid, kRandom, kCentre };

/// Which crops of an image are scored; the image's score is their mean.
struct CropPolicy {
  CropKind kind = CropKind::kGrid;
  std::int64_t count = 9;   ///< grid: a square number, n x n places from edge to edge; random: how many
  std::int64_t seed = 919;  ///< random: places derive from seed, index and image size only
};
[[nodiscard]] const FieldTable<CropPolicy>& crop_policy_fields();

/// What a score means.
struct ScoreScale {
  std::string name = "uncalibrated network output";  ///< e.g. "MOS 0-100 of livec"
  /// From the raw network output to a 0-100, higher-is-better score; fitted on the training set.
  stats::Affine calibration{};
  bool calibrated = false;
};

struct ScorerOptions {
  std::string model;
  std::string backbone;
  double swin_scale = kSwinScale;  ///< of models that have one
  int crop = 224;                  ///< side of a crop, pixels
  CropPolicy crops{};
  Normalisation normalisation = kImageNet;
  ScoreScale scale{};
};

/// A network with its preprocessing, crop policy and calibration. Differentiable end to end. In eval mode from
/// construction on; not thread-safe. Pixels are [N,3,H,W] float32 RGB in [0,1]; an image with a side below the crop is
/// enlarged (bilinear, both sides by one factor) until its short side equals the crop.
class Scorer {
 public:
  Scorer(std::shared_ptr<Network> network, ScorerOptions options);

  [[nodiscard]] const ScorerOptions& options() const { return options_; }
  [[nodiscard]] Network& network() const { return *network_; }
  void set_scale(ScoreScale scale) { options_.scale = std::move(scale); }
  void set_crop_policy(const CropPolicy& crops);

  /// The crops of one image: [1,3,H,W] -> [K,3,S,S], pixels in [0,1], gradients flow back to the image.
  [[nodiscard]] torch::Tensor crops(const torch::Tensor& pixels) const;
  /// Raw network output of each crop: [K,3,S,S] in [0,1] -> [K].
  [[nodiscard]] torch::Tensor raw_of_crops(const torch::Tensor& crops) const;
  /// Raw score of each image (mean over its crops): [N,3,H,W] -> [N].
  [[nodiscard]] torch::Tensor raw(const torch::Tensor& pixels) const;
  /// Calibrated score of each image, nominally 0-100, higher is better, not clipped: [N,3,H,W] -> [N].
  [[nodiscard]] torch::Tensor score(const torch::Tensor& pixels) const;
  /// The calibrated score that a raw score stands for.
  [[nodiscard]] double calibrate(double raw) const { return options_.scale.calibration(raw); }
  /// (x - mean) / std in the run's memory format.
  [[nodiscard]] torch::Tensor normalise(const torch::Tensor& pixels) const;

 private:
  std::shared_ptr<Network> network_;
  ScorerOptions options_;
  torch::Tensor mean_, std_;  ///< [1,3,1,1]
};

/// Upper-left corners (y, x) of the policy's crops of side `crop` in a height x width image (both >= crop).
[[nodiscard]] std::vector<std::pair<std::int64_t, std::int64_t>> crop_places(const CropPolicy& policy,
                                                                             std::int64_t crop, std::int64_t height,
                                                                             std::int64_t width);

}  // namespace steadyiqa::models
