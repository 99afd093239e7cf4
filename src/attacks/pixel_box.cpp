#include "attacks/pixel_box.h"

#include "base/error.h"

#include <torch/torch.h>

#include <cmath>

namespace steadyiqa::attacks {
namespace {

/// The whole levels within budget, of 255.
struct LevelBounds {
  torch::Tensor low, high;
};

LevelBounds level_bounds(const torch::Tensor& clean, const torch::Tensor& levels) {
  // Clean values between levels (the crops of an enlarged image) must be stayed near, too; the slack is for float
  // arithmetic on those that are whole.
  constexpr double kSlack = 1e-3;
  const auto base = clean * 255.0;
  return {(base - (levels + kSlack)).ceil_().clamp_min_(0), (base + (levels + kSlack)).floor_().clamp_max_(255)};
}

torch::Tensor to_levels(const torch::Tensor& x, const torch::Tensor& low, const torch::Tensor& high) {
  return torch::clamp((x * 255.0).round_(), low, high).div_(255.0);
}

}  // namespace

int budget_levels(double epsilon) {
  const int levels = static_cast<int>(std::floor(epsilon * 255.0 + 1e-4));
  if (levels < 1) {
    fail_usage("a budget of {}px is below one grey level (1/255) and would vanish in an 8-bit image", epsilon);
  }
  return levels;
}

torch::Tensor round_to_8_bit(const torch::Tensor& x, const torch::Tensor& clean, const torch::Tensor& levels) {
  const auto bounds = level_bounds(clean, levels);
  return to_levels(x, bounds.low, bounds.high);
}

torch::Tensor round_to_8_bit(const torch::Tensor& x, const torch::Tensor& clean, int levels) {
  return round_to_8_bit(x, clean, torch::scalar_tensor(levels, clean.options()));
}

PixelBox::PixelBox(const torch::Tensor& clean, double epsilon)
    : clean_(clean), epsilon_(epsilon), low_((clean - epsilon).clamp_min_(0)), high_((clean + epsilon).clamp_max_(1)) {}

torch::Tensor PixelBox::project(const torch::Tensor& x) const { return torch::clamp(x, low_, high_); }

torch::Tensor PixelBox::round(const torch::Tensor& x) const {
  if (!low_level_.defined()) {
    const auto bounds = level_bounds(clean_, torch::scalar_tensor(budget_levels(epsilon_), clean_.options()));
    low_level_ = bounds.low;
    high_level_ = bounds.high;
  }
  return to_levels(project(x), low_level_, high_level_);
}

}  // namespace steadyiqa::attacks
