// What an attack sees: an objective to be increased, the clean pixels, a budget. It counts what the attack asks.
#pragma once

#include "attacks/pixel_box.h"
#include "attacks/victim.h"
#include "base/seed.h"

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>
#include <vector>

namespace steadyiqa::attacks {

/// The values. Throws Error(kNumeric), which says what they are, when one is not finite.
[[nodiscard]] torch::Tensor finite(torch::Tensor values, const char* what);

class Problem {
 public:
  /// `clean`: [N,3,H,W] in [0,1]. `sign`: [N], +1 or -1: which way each score goes. `target`: [N] calibrated scores to
  /// reach instead, or undefined. `seeds`: one for each item.
  Problem(Victim& victim, torch::Tensor clean, torch::Tensor sign, torch::Tensor target, double epsilon,
          std::vector<std::uint64_t> seeds);

  [[nodiscard]] const torch::Tensor& clean() const { return clean_; }
  [[nodiscard]] std::int64_t size() const { return clean_.size(0); }
  /// [N], +1 or -1: which way each item's calibrated score is pushed.
  [[nodiscard]] const torch::Tensor& sign() const { return sign_; }
  /// Whether the victim gives gradients.
  [[nodiscard]] bool white_box() const { return victim_.has_gradient(); }
  /// l-infinity budget in [0,1] pixel units.
  [[nodiscard]] double epsilon() const { return box_.epsilon(); }

  /// The same task on another victim, whose calls are not counted here.
  [[nodiscard]] Problem on(Victim& other) const { return {other, clean_, sign_, target_, epsilon(), seeds_}; }

  /// The objective of each item in calibrated points, more is better for the attack: sign x score, or minus the
  /// distance to the target. [N,3,H,W] -> [N]. Counts one forward call. Throws Error(kNumeric) when one is not finite.
  [[nodiscard]] torch::Tensor values(const torch::Tensor& x);
  struct Gradient {
    torch::Tensor values;    ///< [N]
    torch::Tensor gradient;  ///< of their sum by x, shape of x
  };
  /// Both the mean over the victim's draws (Victim::gradient_draws), each of which counts as a gradient call. Throws
  /// Error(kUsage) where the victim has no gradient, Error(kNumeric) when it is not finite.
  [[nodiscard]] Gradient gradient(const torch::Tensor& x);
  /// The same of values plus `penalty` (x -> [N] points, differentiable), for attacks that weigh fidelity.
  [[nodiscard]] Gradient gradient(const torch::Tensor& x,
                                  const std::function<torch::Tensor(const torch::Tensor&)>& penalty);

  /// How far the objective could still rise from `values` on the calibrated scale: to its end, or to the target. [N].
  [[nodiscard]] torch::Tensor room(const torch::Tensor& values) const;
  /// Whether items of those values are at the end of the calibrated scale (0 or 100, by their direction) or beyond, or
  /// at their target: no further change tells more. [N], bool.
  [[nodiscard]] torch::Tensor off_scale(const torch::Tensor& values) const;

  /// Into the eps-box around `clean` and into [0,1].
  [[nodiscard]] torch::Tensor project(const torch::Tensor& x) const { return box_.project(x); }
  /// As a user would save it: whole grey levels, within budget and [0,1].
  [[nodiscard]] torch::Tensor round(const torch::Tensor& x) const { return box_.round(x); }
  [[nodiscard]] const PixelBox& box() const { return box_; }
  /// Takes each item of `candidate` where its value is above `values`, into `x` and `values`, in place.
  static void keep_better(torch::Tensor& x, torch::Tensor& values, const torch::Tensor& candidate,
                          const torch::Tensor& candidate_values);
  /// For the items of `which` ([N], bool) `x`, else `otherwise`; where that is all or none, the tensor itself.
  [[nodiscard]] static torch::Tensor chosen(const torch::Tensor& which, const torch::Tensor& x,
                                            const torch::Tensor& otherwise);

  /// Item `item`'s own randomness, whatever batch it is in.
  [[nodiscard]] Rng rng(std::int64_t item, std::string_view purpose, std::uint64_t index = 0) const;
  /// Shape of `clean`, each value make(rng) of its item's rng.
  [[nodiscard]] torch::Tensor random(std::string_view purpose, std::uint64_t index,
                                     const std::function<double(Rng&)>& make) const;

  [[nodiscard]] std::int64_t forward_calls() const { return forward_calls_; }
  [[nodiscard]] std::int64_t gradient_calls() const { return gradient_calls_; }
  /// forward_calls + gradient_calls, each of one item.
  [[nodiscard]] std::int64_t calls() const { return forward_calls_ + gradient_calls_; }
  /// No more than `calls` in all: what the victim's own limit leaves for this search.
  void limit_calls(std::int64_t calls) { call_limit_ = calls; }
  [[nodiscard]] std::int64_t calls_left() const { return call_limit_ - calls(); }

 private:
  /// Of raw scores.
  [[nodiscard]] torch::Tensor objective(const torch::Tensor& raw) const;
  /// The objective at the end of the scale that each item is pushed to, [N].
  [[nodiscard]] torch::Tensor scale_end() const;

  Victim& victim_;
  torch::Tensor clean_;
  torch::Tensor sign_;
  torch::Tensor target_;
  PixelBox box_;
  std::vector<std::uint64_t> seeds_;
  stats::Affine calibration_;
  std::int64_t forward_calls_ = 0;
  std::int64_t gradient_calls_ = 0;
  std::int64_t call_limit_ = std::numeric_limits<std::int64_t>::max();
};

}  // namespace steadyiqa::attacks
