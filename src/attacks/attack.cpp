#include "attacks/attack.h"

#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::attacks {

const FieldTable<AttackOptions>& attack_fields() {
  using A = AttackOptions;
  static const FieldTable<A> kFields = {
      field("attack", &A::attack, {.help = "fgsm or ifgsm"}),
      field("epsilon", &A::epsilon,
            {.help = "l-infinity budget", .unit = "[0,1] pixels", .min = 1.0 / 255.0, .max = 1}),
      field("steps", &A::steps, {.help = "steps of an iterated attack", .min = 1, .max = 10000}),
      field("step-size", &A::step_size,
            {.help = "size of one step; 0 = the attack's default", .unit = "[0,1] pixels", .min = 0, .max = 1}),
      field("direction", &A::direction, {"up", "down", "mid", "mid-raw", "both"},
            {.help = "which way the score is pushed; mid: away from the far end, by the calibrated score against 50"}),
      field("unit", &A::unit, {"image", "crop"},
            {.help = "image: one shared perturbation; crop: each crop on its own (the authors' protocol)"}),
  };
  return kFields;
}

int budget_levels(double epsilon) {
  const int levels = static_cast<int>(std::floor(epsilon * 255.0 + 1e-4));
  if (levels < 1) {
    fail_usage("a budget of {}px is below one grey level (1/255) and would vanish in an 8-bit image", epsilon);
  }
  return levels;
}

torch::Tensor round_to_8_bit(const torch::Tensor& x, const torch::Tensor& clean, int levels) {
  // The whole levels within budget. Clean values between levels (the crops of an enlarged image) must be stayed near,
  // too; the slack is for float arithmetic on those that are whole.
  constexpr double kSlack = 1e-3;
  const auto base = clean * 255.0;
  const auto low = (base - (levels + kSlack)).ceil();
  const auto high = (base + (levels + kSlack)).floor();
  return torch::minimum(torch::maximum((x * 255.0).round(), low), high).clamp(0, 255) / 255.0;
}

torch::Tensor Problem::gradient(const torch::Tensor& x) const {
  ++*model_calls;
  auto result = models::input_gradient(objective, x).gradient;
  if (!torch::isfinite(result).all().item<bool>()) {
    throw Error(ErrorKind::kNumeric, "attack: the score's input gradient is not finite");
  }
  return result;
}

torch::Tensor Problem::project(const torch::Tensor& x) const {
  return torch::minimum(torch::maximum(x, clean - epsilon), clean + epsilon).clamp(0, 1);
}

torch::Tensor Attack::propose(const Problem& problem) const { return problem.project(perturb(problem)).detach(); }

namespace {

double scalar(const torch::Tensor& tensor) {
  const auto value = tensor.item<double>();
  if (!std::isfinite(value)) {
    throw Error(ErrorKind::kNumeric, "attack: the model's score is not finite");
  }
  return value;
}

/// A falling calibration line (a model whose output falls with quality) turns "up" of the score into "down" of its
/// output.
int slope_sign(const models::Scorer& scorer) { return scorer.options().scale.calibration.slope < 0 ? -1 : 1; }

/// The signs to try for a clean score: of the change of the calibrated score.
std::vector<int> signs(const models::Scorer& scorer, Direction direction, double raw) {
  switch (direction) {
    case Direction::kUp:
      return {1};
    case Direction::kDown:
      return {-1};
    case Direction::kMid:
      return {scorer.calibrate(raw) > 50.0 ? -1 : 1};
    case Direction::kMidRaw:  // the authors' rule pushes the raw score, whichever way the calibrated one then goes
      return {(raw > 50.0 ? -1 : 1) * slope_sign(scorer)};
    case Direction::kBoth:
      break;
  }
  return {1, -1};
}

double largest_change(const torch::Tensor& attacked, const torch::Tensor& clean) {
  return std::round((attacked - clean).abs().max().item<double>() * 255.0);
}

}  // namespace

AttackResult Attack::run(const models::Scorer& scorer, const torch::Tensor& pixels,
                         const AttackOptions& options) const {
  STEADYIQA_ASSERT(pixels.dim() == 4 && pixels.size(0) == 1, "an attack takes one [1,3,H,W] image");
  if (options.unit == Unit::kCrop && scorer.options().crops.pooling != models::Pooling::kMean) {
    fail_usage("unit crop attacks crops by their own scores, which weighted pooling does not average: use unit image");
  }
  const models::EvalMode eval(scorer.network());
  return options.unit == Unit::kImage ? run_on_image(scorer, pixels, options) : run_on_crops(scorer, pixels, options);
}

AttackResult Attack::run_on_image(const models::Scorer& scorer, const torch::Tensor& pixels,
                                  const AttackOptions& options) const {
  torch::NoGradGuard no_grad;
  const int levels = budget_levels(options.epsilon);
  AttackResult best;
  best.clean_raw = scalar(scorer.raw(pixels)[0]);
  best.model_calls = 1;
  bool judged = false;
  for (const int sign : signs(scorer, options.direction, best.clean_raw)) {
    const double raw_sign = sign * slope_sign(scorer);
    Problem problem{[&](const torch::Tensor& x) { return scorer.raw(x) * raw_sign; },
                    pixels,
                    options.epsilon,
                    options.steps,
                    options.step_size,
                    &best.model_calls};
    const auto proposal = propose(problem);
    const auto rounded = round_to_8_bit(proposal, pixels, levels);
    const double after = scalar(scorer.raw(rounded)[0]);
    ++best.model_calls;
    if (!judged || std::abs(after - best.clean_raw) > std::abs(best.attacked_raw - best.clean_raw)) {
      best.attacked = rounded;
      best.attacked_raw = after;
      best.float_raw = scalar(scorer.raw(proposal)[0]);
      ++best.model_calls;
      best.direction = sign;
      judged = true;
    }
  }
  best.linf_levels = largest_change(best.attacked, pixels);
  return best;
}

AttackResult Attack::run_on_crops(const models::Scorer& scorer, const torch::Tensor& pixels,
                                  const AttackOptions& options) const {
  torch::NoGradGuard no_grad;
  const int levels = budget_levels(options.epsilon);
  const auto crops = scorer.crops(pixels).contiguous();
  const auto clean = scorer.raw_of_crops(crops);
  AttackResult result;
  result.clean_raw = scalar(clean.mean());
  result.model_calls = 1;
  // Each crop's own sign; "both" runs every crop both ways.
  std::vector<torch::Tensor> sign_sets;
  const bool both = options.direction == Direction::kBoth;
  for (const std::size_t choice : both ? std::vector<std::size_t>{0, 1} : std::vector<std::size_t>{0}) {
    auto sign = torch::empty_like(clean);
    for (std::int64_t i = 0; i < clean.numel(); ++i) {
      const double raw = clean[i].item<double>();
      sign[i] = static_cast<double>(signs(scorer, options.direction, raw).at(choice) * slope_sign(scorer));
    }
    sign_sets.push_back(sign);
  }
  torch::Tensor best_scores;
  torch::Tensor float_scores;
  for (const auto& sign : sign_sets) {
    Problem problem{[&](const torch::Tensor& x) { return scorer.raw_of_crops(x) * sign; },
                    crops,
                    options.epsilon,
                    options.steps,
                    options.step_size,
                    &result.model_calls};
    const auto proposal = propose(problem);
    const auto rounded = round_to_8_bit(proposal, crops, levels);
    const auto after = scorer.raw_of_crops(rounded);
    const auto unrounded = scorer.raw_of_crops(proposal);
    result.model_calls += 2;
    if (!best_scores.defined()) {
      best_scores = after;
      float_scores = unrounded;
      result.attacked = rounded;
    } else {
      const auto better = (after - clean).abs() > (best_scores - clean).abs();
      best_scores = torch::where(better, after, best_scores);
      float_scores = torch::where(better, unrounded, float_scores);
      result.attacked = torch::where(better.view({-1, 1, 1, 1}), rounded, result.attacked);
    }
  }
  result.attacked_raw = scalar(best_scores.mean());
  result.float_raw = scalar(float_scores.mean());
  const auto first = sign_sets.front();
  const bool uniform = !both && (first == first[0]).all().item<bool>();
  result.direction = uniform ? static_cast<int>(first[0].item<double>()) * slope_sign(scorer) : 0;
  result.linf_levels = largest_change(result.attacked, crops);
  return result;
}

}  // namespace steadyiqa::attacks
