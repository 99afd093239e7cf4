// Whose score is attacked.
#pragma once

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

/// How the purification of a Scorer is treated where an attack takes a gradient.
enum class Adaptive {
  kOn,  ///< through it: straight-through where it has no gradient of its own, the mean over draws where it is random
  kOff  ///< as if there were none: what a purification is often tested by, and flattered
};
inline constexpr std::int64_t kEotDraws = 8;  ///< of a random purification, for each gradient

/// Something that scores images. Not thread-safe.
class Victim {
 public:
  virtual ~Victim() = default;
  /// [N,3,H,W] float32 RGB in [0,1] -> [N] raw scores, differentiable by the pixels where has_gradient(). Results are
  /// judged by it.
  [[nodiscard]] virtual torch::Tensor raw(const torch::Tensor& pixels) = 0;
  [[nodiscard]] virtual bool has_gradient() const = 0;
  /// How many functions the gradient is the mean of (expectation over transformation, EOT: Athalye et al. 2018).
  [[nodiscard]] virtual std::int64_t gradient_draws() const { return 1; }
  /// One of them, `draw` from 0: `raw`, unless the victim says otherwise.
  [[nodiscard]] virtual torch::Tensor raw_for_gradient(const torch::Tensor& pixels, std::int64_t /*draw*/) {
    return raw(pixels);
  }
  /// From raw scores to 0-100, higher is better.
  [[nodiscard]] virtual stats::Affine calibration() const = 0;
  /// How many more images it will score.
  [[nodiscard]] virtual std::int64_t queries_left() const { return std::numeric_limits<std::int64_t>::max(); }
  /// What is attacked of one [1,3,H,W] image: itself.
  [[nodiscard]] virtual torch::Tensor items(const torch::Tensor& image) { return image; }
};

/// A Scorer, in eval mode while this lives; its network then is as it was. Its scores are those of the purified Scorer,
/// whatever the gradient is taken of. The draws that a gradient is the mean of are never those of the score: whoever
/// attacks a random defence knows its kind and not its dice.
class ScorerVictim : public Victim {
 public:
  /// Throws Error(kUsage) for unit crop where crops are not averaged or the whole image is purified first. `scorer`
  /// must outlive this.
  explicit ScorerVictim(const models::Scorer& scorer, Unit unit = Unit::kImage, Adaptive adaptive = Adaptive::kOn,
                        std::int64_t eot_draws = kEotDraws);
  [[nodiscard]] torch::Tensor raw(const torch::Tensor& pixels) override;
  [[nodiscard]] bool has_gradient() const override { return true; }
  [[nodiscard]] std::int64_t gradient_draws() const override { return gradient_draws_; }
  [[nodiscard]] torch::Tensor raw_for_gradient(const torch::Tensor& pixels, std::int64_t draw) override;
  [[nodiscard]] stats::Affine calibration() const override { return scorer_.options().scale.calibration; }
  /// With unit crop: the image's crops.
  [[nodiscard]] torch::Tensor items(const torch::Tensor& image) override;

 private:
  const models::Scorer& scorer_;
  Unit unit_;
  std::optional<models::Scorer> bare_;  ///< without purification, of an attack that is not adaptive
  std::int64_t gradient_draws_ = 1;
  models::EvalMode eval_;
};

}  // namespace steadyiqa::attacks
