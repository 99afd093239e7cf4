// The Scorer: pixels in [0,1] to a score, with everything in between inside it.
#pragma once

#include "base/options.h"
#include "image/crop_policy.h"
#include "image/input_policy.h"
#include "models/catalogue.h"
#include "models/conv_norm.h"
#include "models/precision.h"
#include "models/purification.h"
#include "stats/label_scale.h"

#include <torch/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::models {

/// Whose preprocessing, pooling and score scale are in force (models/compat.h).
enum class Compat { kOurs, kOfficial, kPyiqa };

/// The labels that a network was trained on.
struct NativeScale {
  stats::LabelScale labels{};
  stats::Affine line{};  ///< from the raw network output to them; LinearityIQA's k and b
  /// From the raw network output to 0-100, higher is better.
  [[nodiscard]] stats::Affine to_0_100() const { return labels.line_to_0_100().after(line); }
};

/// What a score means.
struct ScoreScale {
  std::string name = "uncalibrated network output";  ///< e.g. "MOS 0-100 of livec"
  /// From the raw network output to a 0-100, higher-is-better score: fitted on the training set, or NativeScale's.
  stats::Affine calibration{};
  bool calibrated = false;
  std::optional<NativeScale> native{};  ///< where the labels are known
};

struct ScorerOptions {
  std::string model;
  std::string backbone;
  double swin_scale = kSwinScale;        ///< of models that have one
  int crop = 224;                        ///< side of a crop, pixels
  std::vector<Purifier> purification{};  ///< of the whole image, before anything else
  image::InputPolicy input{};
  image::CropPolicy crops{};
  Normalisation normalisation = kImageNet;
  ScoreScale scale{};
  Compat compat = Compat::kOurs;
};

/// The preprocessing in one line: "purify jpeg:quality=70; resize 512x384 pillow-bilinear, random 10 of 224px".
[[nodiscard]] std::string preprocessing_text(const ScorerOptions& options);

/// The scale that single scores are reported on: ours (0-100, higher is better), or under another Compat the authors'.
struct ReportedScale {
  std::string name;
  stats::Affine line{};  ///< from the raw network output
  double min = 0;        ///< NaN when not known
  double max = 100;
  bool higher_is_better = true;
};
[[nodiscard]] ReportedScale reported_scale(const ScorerOptions& options);

/// A network with its purification, preprocessing, crop policy and calibration. Differentiable end to end. In eval mode
/// and on the run's device (parallel/device.h) from construction on; images, scores and gradients are the processor's
/// whatever the device. Not thread-safe. Pixels are [N,3,H,W] float32 RGB in [0,1], upright or not as
/// options().input.orientation says: whoever decodes for a Scorer asks it. An image that a resize or enlargement would
/// blow up beyond DecodeLimits is an Error(kInput).
class Scorer {
 public:
  Scorer(std::shared_ptr<Network> network, ScorerOptions options);

  [[nodiscard]] const ScorerOptions& options() const { return options_; }
  [[nodiscard]] Network& network() const { return *network_; }
  void set_scale(ScoreScale scale) { options_.scale = std::move(scale); }
  /// For use, not for training: BatchNorm becomes part of the convolutions' weights (models/conv_norm.h) for as long as
  /// this Scorer or a copy of it lives. Scores change by float rounding.
  void fold_batch_norm();
  /// The trunk computes in that precision (models/precision.h) for as long as this Scorer or a copy of it lives; call
  /// after fold_batch_norm. Throws as check_precision.
  void use_precision(Precision precision);
  [[nodiscard]] Precision precision() const { return precision_; }
  /// Other preprocessing for the same network. Throws Error(kUsage) for a policy that cannot be and keeps the old one.
  void set_options(ScorerOptions options);

  /// The crops of one image: [1,3,H,W] -> [K,3,S,S] ([1,3,H',W'] for whole images), pixels in [0,1], after the resize
  /// (resize_straight_through); gradients flow back to the image. No purification: that is `raw`'s, before it crops.
  [[nodiscard]] torch::Tensor crops(const torch::Tensor& pixels) const;
  /// Raw network output of each crop: [K,3,S,S] in [0,1] -> [K], some crops at a time, so that memory does not grow
  /// with their number. The graph leads to the crops alone, not to the parameters, and once (no second derivatives).
  [[nodiscard]] torch::Tensor raw_of_crops(const torch::Tensor& crops) const;
  /// Raw score of each image, purified, its crops pooled, the mean over the draws of a random purification: [N,3,H,W]
  /// -> [N].
  [[nodiscard]] torch::Tensor raw(const torch::Tensor& pixels) const;
  /// The same of one draw (models/purification.h). `raw` is the mean over draws 0, 1, ... draws(purification) - 1; all
  /// others are independent of those.
  [[nodiscard]] torch::Tensor raw_of_draw(const torch::Tensor& pixels, std::int64_t draw) const;
  /// Calibrated score of each image, nominally 0-100, higher is better, not clipped: [N,3,H,W] -> [N].
  [[nodiscard]] torch::Tensor score(const torch::Tensor& pixels) const;
  /// The calibrated score that a raw score stands for.
  [[nodiscard]] double calibrate(double raw) const { return options_.scale.calibration(raw); }
  /// (x - mean) / std in the run's memory format, on its device.
  [[nodiscard]] torch::Tensor normalise(const torch::Tensor& pixels) const;

 private:
  std::shared_ptr<Network> network_;
  ScorerOptions options_;
  std::shared_ptr<FoldedBatchNorm> folded_;
  std::shared_ptr<LoweredTrunk> lowered_;  ///< after folded_: it ends before it
  Precision precision_ = Precision::kFloat32;
  bool products_ = false;  ///< mostly_products of the network
  image::ResizeRule resize_;
  torch::Tensor mean_, std_;  ///< [1,3,1,1]

  [[nodiscard]] torch::Tensor resized(const torch::Tensor& pixels) const;
  [[nodiscard]] torch::Tensor raw_of_image(const torch::Tensor& pixels) const;
};

}  // namespace steadyiqa::models
