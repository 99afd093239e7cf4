#include "attacks/victim.h"

#include "base/error.h"

#include <torch/torch.h>

namespace steadyiqa::attacks {

ScorerVictim::ScorerVictim(const models::Scorer& scorer, Unit unit)
    : scorer_(scorer), unit_(unit), eval_(scorer.network()) {
  if (unit == Unit::kCrop && scorer.options().crops.pooling != models::Pooling::kMean) {
    fail_usage("unit crop attacks crops by their own scores, which weighted pooling does not average: use unit image");
  }
}

torch::Tensor ScorerVictim::raw(const torch::Tensor& pixels) {
  folded_.reset();
  return scores(pixels);
}

torch::Tensor ScorerVictim::raw_in_search(const torch::Tensor& pixels) {
  if (!folded_) {
    folded_.emplace(scorer_.network());
  }
  return scores(pixels);
}

torch::Tensor ScorerVictim::scores(const torch::Tensor& pixels) const {
  return unit_ == Unit::kImage ? scorer_.raw(pixels) : scorer_.raw_of_crops(pixels);
}

torch::Tensor ScorerVictim::items(const torch::Tensor& image) {
  const torch::NoGradGuard no_grad;
  return unit_ == Unit::kImage ? image : scorer_.crops(image).contiguous();
}

}  // namespace steadyiqa::attacks
