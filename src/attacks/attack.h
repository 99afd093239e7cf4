// Attacks on a score. The base class owns budget, projection, bounds, direction, 8-bit rounding and judging; an attack
// only proposes a perturbation, so that it cannot overstate its result.
#pragma once

#include "base/options.h"
#include "models/scorer.h"

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::attacks {

/// Which way the score is pushed.
enum class Direction {
  kUp,
  kDown,
  kMid,     ///< down when the calibrated clean score is above 50, else up
  kMidRaw,  ///< the same on the raw score: the NT authors' rule
  kBoth     ///< up and down, each judged; the larger change counts
};

/// What one perturbation covers.
enum class Unit {
  kImage,  ///< one shared perturbation of the whole image (default): every overlap is consistent, the result is an
           ///< image
  kCrop    ///< each crop on its own, its direction decided by its own score: the authors' protocol, no realisable image
};

struct AttackOptions {
  std::string attack = "fgsm";
  double epsilon = 0.005;  ///< l-infinity budget in [0,1] pixel units
  std::int64_t steps = 10;
  double step_size = 0.0;  ///< pixel units; 0 = the attack's default
  Direction direction = Direction::kMid;
  Unit unit = Unit::kImage;
};
[[nodiscard]] const FieldTable<AttackOptions>& attack_fields();

/// The budget in whole grey levels that survives 8-bit rounding: floor(epsilon * 255 + 1e-4).
/// Throws Error(kUsage) when it is below one level: such a perturbation would vanish when saved.
[[nodiscard]] int budget_levels(double epsilon);

/// What an attack did to one image, judged on a fresh forward pass in eval mode after 8-bit rounding.
struct AttackResult {
  torch::Tensor attacked;        ///< [1,3,H,W] (unit crop: [K,3,S,S]), exact multiples of 1/255, within budget
  double clean_raw = 0;          ///< raw score before
  double attacked_raw = 0;       ///< raw score after
  double float_raw = 0;          ///< raw score of the perturbation before rounding, for reference
  int direction = 0;             ///< +1 pushed up, -1 pushed down, 0 mixed (unit crop)
  double linf_levels = 0;        ///< largest change in grey levels (of 255)
  std::int64_t model_calls = 0;  ///< forward passes and forward+backward passes, each counted once per image
};

/// What an attack sees: a scalar function to be increased, the clean pixels, and the budget.
struct Problem {
  /// signed score of each item: [N,3,H,W] -> [N]; increasing it is the goal.
  std::function<torch::Tensor(const torch::Tensor&)> objective;
  torch::Tensor clean;  ///< [N,3,H,W] in [0,1]
  double epsilon = 0;
  std::int64_t steps = 1;
  double step_size = 0;
  std::int64_t* model_calls = nullptr;

  /// Gradient of the summed objective by pixels; counts a call. Throws Error(kNumeric) when it is not finite.
  [[nodiscard]] torch::Tensor gradient(const torch::Tensor& x) const;
  /// Into the eps-box around `clean` and into [0,1].
  [[nodiscard]] torch::Tensor project(const torch::Tensor& x) const;
};

class Attack {
 public:
  virtual ~Attack() = default;
  /// Attacks one image, [1,3,H,W] float32 in [0,1], exact multiples of 1/255. No parameter receives a gradient and no
  /// BatchNorm statistic changes.
  [[nodiscard]] AttackResult run(const models::Scorer& scorer, const torch::Tensor& pixels,
                                 const AttackOptions& options) const;

 private:
  /// Proposes perturbed pixels; the base projects and rounds them.
  [[nodiscard]] virtual torch::Tensor perturb(const Problem& problem) const = 0;
  [[nodiscard]] torch::Tensor propose(const Problem& problem) const;
  [[nodiscard]] AttackResult run_on_image(const models::Scorer& scorer, const torch::Tensor& pixels,
                                          const AttackOptions& options) const;
  [[nodiscard]] AttackResult run_on_crops(const models::Scorer& scorer, const torch::Tensor& pixels,
                                          const AttackOptions& options) const;
};

struct AttackInfo {
  std::string name;
  std::string help;
  std::string source;
  std::unique_ptr<Attack> (*make)();
};
[[nodiscard]] std::span<const AttackInfo> attack_catalogue();
/// Throws Error(kUsage) for an unknown name, with the nearest.
[[nodiscard]] std::unique_ptr<Attack> make_attack(const std::string& name);

/// To the nearest multiple of 1/255 within `levels` grey levels of `clean` and within [0,1].
[[nodiscard]] torch::Tensor round_to_8_bit(const torch::Tensor& x, const torch::Tensor& clean, int levels);

}  // namespace steadyiqa::attacks
