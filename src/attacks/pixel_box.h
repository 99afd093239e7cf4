// What a budget leaves of pixels, before and after 8-bit rounding.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace steadyiqa::attacks {

/// The budget in whole grey levels that survives 8-bit rounding: floor(epsilon * 255 + 1e-4).
/// Throws Error(kUsage) when it is below one level: such a perturbation would vanish when saved.
[[nodiscard]] int budget_levels(double epsilon);

/// To the nearest multiple of 1/255 within `levels` whole grey levels of `clean` (one number, or one for each value)
/// and within [0,1].
[[nodiscard]] torch::Tensor round_to_8_bit(const torch::Tensor& x, const torch::Tensor& clean,
                                           const torch::Tensor& levels);
[[nodiscard]] torch::Tensor round_to_8_bit(const torch::Tensor& x, const torch::Tensor& clean, int levels);

/// The images within epsilon of a clean one and within [0,1]. Its bounds are computed once, those of rounded images
/// when they are first asked for. Not thread-safe.
class PixelBox {
 public:
  /// `clean`: [3,H,W] or [N,3,H,W] in [0,1]. `epsilon`: l-infinity budget in [0,1] pixel units.
  PixelBox(const torch::Tensor& clean, double epsilon);
  [[nodiscard]] double epsilon() const { return epsilon_; }
  /// The box of one image of a batch.
  [[nodiscard]] PixelBox item(std::int64_t index) const { return {clean_[index], epsilon_}; }
  /// The nearest image in the box.
  [[nodiscard]] torch::Tensor project(const torch::Tensor& x) const;
  /// Projected, then round_to_8_bit with the budget's whole levels. Throws Error(kUsage) as budget_levels does.
  [[nodiscard]] torch::Tensor round(const torch::Tensor& x) const;

 private:
  torch::Tensor clean_;
  double epsilon_;
  torch::Tensor low_, high_;
  mutable torch::Tensor low_level_, high_level_;  ///< of 255
};

}  // namespace steadyiqa::attacks
