#include "attacks/problem.h"

#include "base/error.h"

#include <torch/torch.h>

#include <cmath>
#include <utility>

namespace steadyiqa::attacks {
namespace {

void require_finite(const torch::Tensor& values, const char* what) {
  if (!torch::isfinite(values).all().item<bool>()) {
    fail(ErrorKind::kNumeric, "attack: {} is not finite", what);
  }
}

/// A calibration that tells nothing (a constant model's) must not hide the raw score from the attack.
stats::Affine usable(stats::Affine line) {
  line.slope = line.slope == 0.0 ? 1.0 : line.slope;
  return line;
}

}  // namespace

int budget_levels(double epsilon) {
  const int levels = static_cast<int>(std::floor(epsilon * 255.0 + 1e-4));
  if (levels < 1) {
    fail_usage("a budget of {}px is below one grey level (1/255) and would vanish in an 8-bit image", epsilon);
  }
  return levels;
}

torch::Tensor into_box(const torch::Tensor& x, const torch::Tensor& clean, double epsilon) {
  return torch::minimum(torch::maximum(x, clean - epsilon), clean + epsilon).clamp(0, 1);
}

torch::Tensor round_to_8_bit(const torch::Tensor& x, const torch::Tensor& clean, const torch::Tensor& levels) {
  // The whole levels within budget. Clean values between levels (the crops of an enlarged image) must be stayed near,
  // too; the slack is for float arithmetic on those that are whole.
  constexpr double kSlack = 1e-3;
  const auto base = clean * 255.0;
  const auto low = (base - (levels + kSlack)).ceil();
  const auto high = (base + (levels + kSlack)).floor();
  return torch::minimum(torch::maximum((x * 255.0).round(), low), high).clamp(0, 255) / 255.0;
}

torch::Tensor round_to_8_bit(const torch::Tensor& x, const torch::Tensor& clean, int levels) {
  return round_to_8_bit(x, clean, torch::scalar_tensor(levels, clean.options()));
}

Problem::Problem(Victim& victim, torch::Tensor clean, torch::Tensor sign, torch::Tensor target, double epsilon,
                 std::vector<std::uint64_t> seeds)
    : victim_(victim),
      clean_(std::move(clean)),
      sign_(std::move(sign)),
      target_(std::move(target)),
      epsilon_(epsilon),
      seeds_(std::move(seeds)),
      calibration_(usable(victim.calibration())) {
  STEADYIQA_ASSERT(clean_.dim() == 4 && sign_.numel() == size() && seeds_.size() == static_cast<std::size_t>(size()),
                   "a problem has a sign and a seed for each item");
}

torch::Tensor Problem::objective(const torch::Tensor& raw) const {
  if (target_.defined()) {
    return -(raw * calibration_.slope + calibration_.intercept - target_).abs();
  }
  return raw * (sign_ * calibration_.slope);
}

torch::Tensor Problem::values(const torch::Tensor& x) {
  const torch::NoGradGuard no_grad;
  ++forward_calls_;
  auto result = objective(victim_.raw(x));
  require_finite(result, "the model's score");
  return result;
}

Problem::Gradient Problem::gradient(const torch::Tensor& x) { return gradient(x, {}); }

Problem::Gradient Problem::gradient(const torch::Tensor& x,
                                    const std::function<torch::Tensor(const torch::Tensor&)>& penalty) {
  if (!victim_.has_gradient()) {
    fail_usage("this attack needs the victim's gradient, and this victim only answers with scores");
  }
  const auto draws = victim_.gradient_draws();
  gradient_calls_ += draws;
  Gradient mean;
  for (std::int64_t draw = 0; draw < draws; ++draw) {  // one at a time: the graphs of all would fill the memory
    const auto value = [&](const torch::Tensor& at) { return objective(victim_.raw_for_gradient(at, draw)); };
    const auto one = models::input_gradient(
        [&](const torch::Tensor& at) { return penalty ? value(at) + penalty(at) : value(at); }, x);
    mean.values = draw == 0 ? one.scores : mean.values + one.scores;
    mean.gradient = draw == 0 ? one.gradient : mean.gradient + one.gradient;
  }
  if (draws > 1) {
    mean.values = mean.values / draws;
    mean.gradient = mean.gradient / draws;
  }
  require_finite(mean.values, "the model's score");
  require_finite(mean.gradient, "the score's input gradient");
  return mean;
}

torch::Tensor Problem::room(const torch::Tensor& values) const {
  return target_.defined() ? -values : (scale_end() - values).abs();
}

torch::Tensor Problem::off_scale(const torch::Tensor& values) const {
  return values >= (target_.defined() ? torch::zeros_like(values) : scale_end());
}

torch::Tensor Problem::scale_end() const {
  // The objective leaves the intercept out.
  return torch::where(sign_ > 0, 100.0 - calibration_.intercept, calibration_.intercept).to(sign_.scalar_type());
}

torch::Tensor Problem::project(const torch::Tensor& x) const { return into_box(x, clean_, epsilon_); }

torch::Tensor Problem::round(const torch::Tensor& x) const {
  return round_to_8_bit(project(x), clean_, budget_levels(epsilon_));
}

void Problem::keep_better(torch::Tensor& x, torch::Tensor& values, const torch::Tensor& candidate,
                          const torch::Tensor& candidate_values) {
  const auto better = candidate_values > values;
  x = torch::where(better.view({-1, 1, 1, 1}), candidate, x);
  values = torch::where(better, candidate_values, values);
}

Rng Problem::rng(std::int64_t item, std::string_view purpose, std::uint64_t index) const {
  return Rng(derive_seed(seeds_.at(static_cast<std::size_t>(item)), purpose, index));
}

torch::Tensor Problem::random(std::string_view purpose, std::uint64_t index,
                              const std::function<double(Rng&)>& make) const {
  auto values = torch::empty(clean_.sizes(), torch::kFloat32);
  for (std::int64_t item = 0; item < size(); ++item) {
    auto generator = rng(item, purpose, index);
    auto* data = values[item].data_ptr<float>();
    for (std::int64_t i = 0; i < values[item].numel(); ++i) {
      data[i] = static_cast<float>(make(generator));
    }
  }
  return values.to(clean_.device());
}

}  // namespace steadyiqa::attacks
