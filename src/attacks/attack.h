// Attacks on a score. The base class owns budget, projection, bounds, direction, 8-bit rounding and judging; an attack
// only proposes perturbed pixels, so that it cannot overstate its result.
#pragma once

#include "attacks/problem.h"
#include "base/options.h"

#include <torch/types.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace steadyiqa::attacks {

/// Which way the score is pushed.
enum class Direction {
  kUp,
  kDown,
  kMid,     ///< down when the calibrated clean score is above 50, else up
  kMidRaw,  ///< the same on the raw score: the NT authors' rule
  kBoth     ///< up and down, each judged; the larger change on the scale of 0 to 100 counts, of equals the larger one
};

/// "NAME[:key=value,...]": an attack of the catalogue and its own parameters.
struct AttackSpec {
  std::string name = "fgsm";
  nlohmann::json parameters = nlohmann::json::object();
  /// Throws Error(kUsage) for what cannot be read; the names are checked by make_attack.
  static AttackSpec parse(const std::string& text);
  /// As parse reads it.
  [[nodiscard]] std::string text() const;
};

/// What every attack is told.
struct AttackOptions {
  AttackSpec attack{};
  double epsilon = 0.005;  ///< l-infinity budget in [0,1] pixel units
  Direction direction = Direction::kMid;
  Unit unit = Unit::kImage;
  std::int64_t seed = 0;
  Adaptive adaptive = Adaptive::kOn;  ///< of a purified Scorer
  std::int64_t eot_draws = kEotDraws;
  std::optional<double> target{};  ///< a calibrated score to reach, in place of a direction
};
/// Of what is neither attack nor budget nor target: direction, unit, seed, adaptive treatment.
[[nodiscard]] const FieldTable<AttackOptions>& attack_fields();

/// What an attack did to one image, judged on a fresh forward pass in eval mode after 8-bit rounding.
struct AttackResult {
  torch::Tensor clean;              ///< what was attacked: the image, [1,3,H,W] (unit crop: its crops, [K,3,S,S])
  torch::Tensor attacked;           ///< of the same shape, exact multiples of 1/255, within budget
  double clean_raw = 0;             ///< raw score before
  double attacked_raw = 0;          ///< raw score after
  double float_raw = 0;             ///< raw score of the perturbation before rounding, for reference
  int direction = 0;                ///< +1 pushed up, -1 pushed down, 0 mixed (unit crop) or towards a target
  double linf_levels = 0;           ///< largest change in grey levels (of 255)
  std::int64_t model_calls = 0;     ///< forward passes and gradient passes that it took, judging included
  bool own_training_image = false;  ///< what the attack was made from was trained on this image: no fair result
};

class Attack {
 public:
  virtual ~Attack() = default;
  /// Attacks one image, [1,3,H,W] float32 in [0,1], exact multiples of 1/255. The same image, options and victim give
  /// the same result. No parameter receives a gradient and no BatchNorm statistic changes.
  [[nodiscard]] AttackResult run(Victim& victim, const torch::Tensor& pixels, const AttackOptions& options) const;
  /// On a Scorer, by options.unit.
  [[nodiscard]] AttackResult run(const models::Scorer& scorer, const torch::Tensor& pixels,
                                 const AttackOptions& options) const;
  /// Pixels within the problem's budget, before rounding.
  [[nodiscard]] torch::Tensor propose(Problem& problem) const;
  /// Whether what it was made from (another model, a perturbation) was trained on this very image, [1,3,H,W].
  [[nodiscard]] virtual bool trained_on(const torch::Tensor& /*pixels*/) const { return false; }
  /// What to know before its results against that victim are believed, a line each. `victim_sha256`: of the model file,
  /// "" for a victim that is none.
  [[nodiscard]] virtual std::vector<std::string> caveats(const std::string& /*victim_sha256*/) const { return {}; }

 private:
  /// Proposes perturbed pixels, [N,3,H,W]; the base projects and rounds them.
  [[nodiscard]] virtual torch::Tensor perturb(Problem& problem) const = 0;
};

}  // namespace steadyiqa::attacks
