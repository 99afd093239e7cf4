#include "attacks/victim.h"

#include "base/error.h"

#include <torch/torch.h>

#include <utility>

namespace steadyiqa::attacks {

ScorerVictim::ScorerVictim(const models::Scorer& scorer, Unit unit, Adaptive adaptive, std::int64_t eot_draws)
    : scorer_(scorer), unit_(unit), eval_(scorer.network()) {
  if (unit == Unit::kCrop && scorer.options().crops.pooling != image::Pooling::kMean) {
    fail_usage("unit crop attacks crops by their own scores, which weighted pooling does not average: use unit image");
  }
  const auto& purification = scorer.options().purification;
  if (unit == Unit::kCrop && !purification.empty()) {
    fail_usage("unit crop attacks crops, and this model purifies the whole image before it crops: use unit image");
  }
  if (adaptive == Adaptive::kOff && !purification.empty()) {
    auto options = scorer.options();
    options.purification.clear();
    bare_.emplace(scorer).set_options(std::move(options));
  } else if (models::is_random(purification)) {
    gradient_draws_ = eot_draws;
  }
}

torch::Tensor ScorerVictim::raw(const torch::Tensor& pixels) {
  return unit_ == Unit::kImage ? scorer_.raw(pixels) : scorer_.raw_of_crops(pixels);
}

torch::Tensor ScorerVictim::raw_for_gradient(const torch::Tensor& pixels, std::int64_t draw) {
  if (bare_) {
    return bare_->raw(pixels);
  }
  const auto& purification = scorer_.options().purification;
  return purification.empty() ? raw(pixels) : scorer_.raw_of_draw(pixels, models::draws(purification) + draw);
}

torch::Tensor ScorerVictim::items(const torch::Tensor& image) {
  const torch::NoGradGuard no_grad;
  return unit_ == Unit::kImage ? image : scorer_.crops(image).contiguous();
}

}  // namespace steadyiqa::attacks
