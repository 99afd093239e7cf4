#include "attacks/attack.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/named_options.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace steadyiqa::attacks {

AttackSpec AttackSpec::parse(const std::string& text) {
  auto options = NamedOptions::parse(text, "attack");
  return {std::move(options.name), std::move(options.values)};
}

std::string AttackSpec::text() const { return NamedOptions{name, parameters}.text(); }

const FieldTable<AttackOptions>& attack_fields() {
  using A = AttackOptions;
  static const FieldTable<A> kFields = {
      field("direction", &A::direction, {"up", "down", "mid", "mid-raw", "both"},
            {.help = "which way the score is pushed; mid: away from the far end, by the calibrated score against 50"}),
      field("unit", &A::unit, {"image", "crop"},
            {.help = "image: one shared perturbation; crop: each crop on its own (the authors' protocol)"}),
      field("seed", &A::seed, {.help = "of every random choice; each image has its own from it", .min = 0}),
      field("adaptive", &A::adaptive, {"on", "off"},
            {.help = "gradients of a purified model: through its purification, or of its bare network alone"}),
      field("eot-draws", &A::eot_draws,
            {.help = "draws of a randomised purification that a gradient is the mean of", .min = 1, .max = 1000}),
  };
  return kFields;
}

torch::Tensor Attack::propose(Problem& problem) const { return problem.project(perturb(problem)).detach(); }

namespace {

/// One way of pushing the items, judged.
struct Trial {
  torch::Tensor pixels;  ///< rounded
  torch::Tensor raw;     ///< [N] after rounding
  torch::Tensor unrounded_raw;
  torch::Tensor sign;  ///< [N], of the calibrated score; 0 towards a target
};

constexpr const char* kScore = "the model's score";

/// +1 or -1 for each item: where its calibrated score is pushed.
torch::Tensor signs(const Victim& victim, Direction direction, const torch::Tensor& raw) {
  const auto line = victim.calibration();
  switch (direction) {
    case Direction::kDown:
      return -torch::ones_like(raw);
    case Direction::kMid:
      return torch::where(raw * line.slope + line.intercept > 50.0, -1.0F, 1.0F).to(raw.scalar_type());
    case Direction::kMidRaw: {  // the authors' rule pushes the raw score, whichever way the calibrated one then goes
      const double way = line.slope < 0 ? -1.0 : 1.0;
      return torch::where(raw > 50.0, -way, way).to(raw.scalar_type());
    }
    case Direction::kUp:
    case Direction::kBoth:
      break;
  }
  return torch::ones_like(raw);
}

std::vector<std::uint64_t> item_seeds(const torch::Tensor& items, std::int64_t seed) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < items.size(0); ++i) {
    const auto values = items[i].contiguous();
    const std::string_view bytes(static_cast<const char*>(values.data_ptr()), values.nbytes());
    seeds.push_back(derive_seed(static_cast<std::uint64_t>(seed), "attack", digest_number(bytes)));
  }
  return seeds;
}

/// Each item from the trial that moved its score further on the scale of 0 to 100; of equals, further at all.
void merge(Trial& best, const Trial& other, const torch::Tensor& clean, const stats::Affine& line) {
  const auto on_scale = [&](const torch::Tensor& raw) { return (raw * line.slope + line.intercept).clamp(0, 100); };
  const auto moved = [&](const Trial& trial) { return (on_scale(trial.raw) - on_scale(clean)).abs(); };
  const auto moved_at_all = [&](const Trial& trial) { return (trial.raw - clean).abs(); };
  const auto more = moved(other) - moved(best);
  const auto better = (more > 0) | ((more == 0) & (moved_at_all(other) > moved_at_all(best)));
  best.pixels = torch::where(better.view({-1, 1, 1, 1}), other.pixels, best.pixels);
  best.raw = torch::where(better, other.raw, best.raw);
  best.unrounded_raw = torch::where(better, other.unrounded_raw, best.unrounded_raw);
  best.sign = torch::where(better, other.sign, best.sign);
}

/// The calls that a search may make of `items` images, so that it and the attempts after it can still be judged.
std::int64_t share_of_calls(const Victim& victim, std::int64_t items, std::int64_t attempts) {
  return std::max<std::int64_t>(0, victim.queries_left() / items / attempts - 1);
}

}  // namespace

AttackResult Attack::run(Victim& victim, const torch::Tensor& pixels, const AttackOptions& options) const {
  STEADYIQA_ASSERT(pixels.dim() == 4 && pixels.size(0) == 1, "an attack takes one [1,3,H,W] image");
  const torch::NoGradGuard no_grad;
  static_cast<void>(budget_levels(options.epsilon));
  const auto items = victim.items(pixels);
  const auto clean = finite(victim.raw(items), kScore);
  const auto seeds = item_seeds(items, options.seed);
  AttackResult result;
  result.model_calls = 1;
  const bool both = options.direction == Direction::kBoth && !options.target;
  const auto attempt = [&](const torch::Tensor& sign, std::int64_t attempts_left) {
    const auto target = options.target ? torch::full_like(clean, *options.target) : torch::Tensor();
    Problem problem(victim, items, sign, target, options.epsilon, seeds);
    problem.limit_calls(share_of_calls(victim, items.size(0), attempts_left));
    const auto proposal = propose(problem);
    Trial trial{problem.round(proposal), {}, {}, options.target ? torch::zeros_like(sign) : sign};
    trial.raw = finite(victim.raw(trial.pixels), kScore);
    trial.unrounded_raw = victim.has_gradient() ? finite(victim.raw(proposal), kScore) : trial.raw;
    result.model_calls += problem.calls() + (victim.has_gradient() ? 2 : 1);
    return trial;
  };
  const auto first = signs(victim, options.direction, clean);
  auto trial = attempt(first, both ? 2 : 1);
  if (both) {
    merge(trial, attempt(-first, 1), clean, victim.calibration());
  }
  result.clean = items;
  result.attacked = trial.pixels;
  result.clean_raw = clean.mean().item<double>();
  result.attacked_raw = trial.raw.mean().item<double>();
  result.float_raw = trial.unrounded_raw.mean().item<double>();
  const bool uniform = (trial.sign == trial.sign[0]).all().item<bool>();
  result.direction = uniform ? static_cast<int>(trial.sign[0].item<double>()) : 0;
  result.own_training_image = trained_on(pixels);
  result.linf_levels = std::round((trial.pixels - items).abs().max().item<double>() * 255.0);
  return result;
}

AttackResult Attack::run(const models::Scorer& scorer, const torch::Tensor& pixels,
                         const AttackOptions& options) const {
  ScorerVictim victim(scorer, options.unit, options.adaptive, options.eot_draws);
  return run(victim, pixels, options);
}

}  // namespace steadyiqa::attacks
