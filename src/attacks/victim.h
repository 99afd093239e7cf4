// Whose score is attacked.
#pragma once

#include "models/conv_norm.h"
#include "models/scorer.h"
#include "stats/robustness.h"

#include <torch/types.h>

#include <cstdint>
#include <limits>
#include <optional>

namespace steadyiqa::attacks {

/// What one perturbation covers.
enum class Unit {
  kImage,  ///< one shared perturbation of the whole image (default): every overlap is consistent, the result is an
           ///< image
  kCrop    ///< each crop on its own, its direction decided by its own score: the authors' protocol, no realisable image
};

/// Something that scores images. Not thread-safe.
class Victim {
 public:
  virtual ~Victim() = default;
  /// [N,3,H,W] float32 RGB in [0,1] -> [N] raw scores, differentiable by the pixels where has_gradient(). Results are
  /// judged by it.
  [[nodiscard]] virtual torch::Tensor raw(const torch::Tensor& pixels) = 0;
  /// The same for a search, which makes most of the calls: may differ from raw by float rounding and be quicker.
  [[nodiscard]] virtual torch::Tensor raw_in_search(const torch::Tensor& pixels) { return raw(pixels); }
  [[nodiscard]] virtual bool has_gradient() const = 0;
  /// From raw scores to 0-100, higher is better.
  [[nodiscard]] virtual stats::Affine calibration() const = 0;
  /// How many more images it will score.
  [[nodiscard]] virtual std::int64_t queries_left() const { return std::numeric_limits<std::int64_t>::max(); }
  /// What is attacked of one [1,3,H,W] image: itself.
  [[nodiscard]] virtual torch::Tensor items(const torch::Tensor& image) { return image; }
};

/// A Scorer, in eval mode while this lives; its network then is as it was.
class ScorerVictim : public Victim {
 public:
  /// Throws Error(kUsage) for unit crop where crops are not averaged. `scorer` must outlive this.
  explicit ScorerVictim(const models::Scorer& scorer, Unit unit = Unit::kImage);
  [[nodiscard]] torch::Tensor raw(const torch::Tensor& pixels) override;
  /// With BatchNorm folded into the convolutions.
  [[nodiscard]] torch::Tensor raw_in_search(const torch::Tensor& pixels) override;
  [[nodiscard]] bool has_gradient() const override { return true; }
  [[nodiscard]] stats::Affine calibration() const override { return scorer_.options().scale.calibration; }
  /// With unit crop: the image's crops.
  [[nodiscard]] torch::Tensor items(const torch::Tensor& image) override;

 private:
  [[nodiscard]] torch::Tensor scores(const torch::Tensor& pixels) const;

  const models::Scorer& scorer_;
  Unit unit_;
  models::EvalMode eval_;
  std::optional<models::FoldedBatchNorm> folded_;  ///< from a search's first call to the judging
};

}  // namespace steadyiqa::attacks
