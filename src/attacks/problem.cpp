#include "attacks/problem.h"

#include "base/error.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace steadyiqa::attacks {

torch::Tensor finite(torch::Tensor values, const char* what) {
  // A sum takes one pass; that of finite values may overflow.
  if (!std::isfinite(values.sum().item<double>()) && !torch::isfinite(values).all().item<bool>()) {
    fail(ErrorKind::kNumeric, "attack: {} is not finite", what);
  }
  return values;
}

namespace {

/// A calibration that tells nothing (a constant model's) must not hide the raw score from the attack.
stats::Affine usable(stats::Affine line) {
  line.slope = line.slope == 0.0 ? 1.0 : line.slope;
  return line;
}

}  // namespace

Problem::Problem(Victim& victim, torch::Tensor clean, torch::Tensor sign, torch::Tensor target, double epsilon,
                 std::vector<std::uint64_t> seeds)
    : victim_(victim),
      clean_(std::move(clean)),
      sign_(std::move(sign)),
      target_(std::move(target)),
      box_(clean_, epsilon),
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
  return finite(objective(victim_.raw(x)), "the model's score");
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
  return {finite(std::move(mean.values), "the model's score"),
          finite(std::move(mean.gradient), "the score's input gradient")};
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

void Problem::keep_better(torch::Tensor& x, torch::Tensor& values, const torch::Tensor& candidate,
                          const torch::Tensor& candidate_values) {
  const auto better = candidate_values > values;
  x = chosen(better, candidate, x);
  values = torch::where(better, candidate_values, values);
}

torch::Tensor Problem::chosen(const torch::Tensor& which, const torch::Tensor& x, const torch::Tensor& otherwise) {
  const auto count = which.sum().item<std::int64_t>();
  if (count == 0 || count == which.numel()) {
    return count == 0 ? otherwise : x;
  }
  return torch::where(which.view({-1, 1, 1, 1}), x, otherwise);
}

Rng Problem::rng(std::int64_t item, std::string_view purpose, std::uint64_t index) const {
  return Rng(derive_seed(seeds_.at(static_cast<std::size_t>(item)), purpose, index));
}

torch::Tensor Problem::random(std::string_view purpose, std::uint64_t index,
                              const std::function<double(Rng&)>& make) const {
  auto values = torch::empty(clean_.sizes(), torch::kFloat32);
  for (std::int64_t item = 0; item < size(); ++item) {
    auto generator = rng(item, purpose, index);
    const auto one = values[item];  // outside the loop: indexing a tensor costs a thousand times a sample
    std::generate_n(one.data_ptr<float>(), one.numel(), [&] { return static_cast<float>(make(generator)); });
  }
  return values.to(clean_.device());
}

}  // namespace steadyiqa::attacks
