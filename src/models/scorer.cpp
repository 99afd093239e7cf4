#include "models/scorer.h"

#include "base/error.h"
#include "base/seed.h"
#include "parallel/runtime.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace steadyiqa::models {
namespace {

torch::Tensor channel_constant(const std::array<double, 3>& values) {
  return torch::tensor({values[0], values[1], values[2]}, torch::kFloat32).view({1, 3, 1, 1});
}

std::int64_t grid_side(const CropPolicy& policy) {
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(policy.count))));
  if (side * side != policy.count) {
    fail_usage("a grid of crops needs a square number of them, got {} (say 1, 4, 9, 16 or 25)", policy.count);
  }
  return side;
}

}  // namespace

const FieldTable<CropPolicy>& crop_policy_fields() {
  static const FieldTable<CropPolicy> kFields = {
      field("crops", &CropPolicy::kind, {"grid", "random", "centre"},
            {.help = "which crops of an image are scored; the score is their mean"}),
      field("crop-count", &CropPolicy::count,
            {.help = "how many crops; a square number for a grid", .unit = "crops", .min = 1, .max = 1024}),
      field("crop-seed", &CropPolicy::seed, {.help = "seed of random crops", .min = 0}),
  };
  return kFields;
}

std::vector<std::pair<std::int64_t, std::int64_t>> crop_places(const CropPolicy& policy, std::int64_t crop,
                                                               std::int64_t height, std::int64_t width) {
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  const auto free_y = height - crop;
  const auto free_x = width - crop;
  if (policy.kind == CropKind::kCentre) {
    places.emplace_back(free_y / 2, free_x / 2);
  } else if (policy.kind == CropKind::kRandom) {
    for (std::int64_t i = 0; i < policy.count; ++i) {
      Rng rng(derive_seed(static_cast<std::uint64_t>(policy.seed), "score-crop", static_cast<std::uint64_t>(i)));
      const auto y = rng.below(free_y + 1);
      places.emplace_back(y, rng.below(free_x + 1));
    }
  } else {
    const auto side = grid_side(policy);
    const auto place = [side](std::int64_t i, std::int64_t free) {
      return side == 1 ? free / 2 : (i * free) / (side - 1);
    };
    for (std::int64_t row = 0; row < side; ++row) {
      for (std::int64_t column = 0; column < side; ++column) {
        places.emplace_back(place(row, free_y), place(column, free_x));
      }
    }
    // An image no larger than the crop on one side has one place there: each different crop counts once.
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
  }
  return places;
}

Scorer::Scorer(std::shared_ptr<Network> network, ScorerOptions options)
    : network_(std::move(network)),
      options_(std::move(options)),
      mean_(channel_constant(options_.normalisation.mean)),
      std_(channel_constant(options_.normalisation.std)) {
  network_->eval();
  set_crop_policy(options_.crops);
}

void Scorer::set_crop_policy(const CropPolicy& crops) {
  if (crops.kind == CropKind::kGrid) {
    static_cast<void>(grid_side(crops));
  }
  options_.crops = crops;
}

torch::Tensor Scorer::normalise(const torch::Tensor& pixels) const {
  return parallel::to_layout((pixels - mean_) / std_);
}

torch::Tensor Scorer::crops(const torch::Tensor& pixels) const {
  STEADYIQA_ASSERT(pixels.dim() == 4 && pixels.size(0) == 1 && pixels.size(1) == 3,
                   "crops() takes one [1,3,H,W] image");
  auto image = pixels;
  const auto crop = static_cast<std::int64_t>(options_.crop);
  const auto short_side = std::min(image.size(2), image.size(3));
  if (short_side < crop) {
    const auto enlarge = [&](std::int64_t side) {
      return std::max<std::int64_t>(
          crop, std::llround(static_cast<double>(side) * static_cast<double>(crop) / static_cast<double>(short_side)));
    };
    image = torch::upsample_bilinear2d(image, {enlarge(image.size(2)), enlarge(image.size(3))}, false);
  }
  std::vector<torch::Tensor> parts;
  for (const auto& [y, x] : crop_places(options_.crops, crop, image.size(2), image.size(3))) {
    parts.push_back(image.slice(2, y, y + crop).slice(3, x, x + crop));
  }
  return torch::cat(parts, 0);
}

torch::Tensor Scorer::raw_of_crops(const torch::Tensor& crops) const { return network_->forward(normalise(crops)); }

torch::Tensor Scorer::raw(const torch::Tensor& pixels) const {
  std::vector<torch::Tensor> scores;
  for (std::int64_t i = 0; i < pixels.size(0); ++i) {
    scores.push_back(raw_of_crops(crops(pixels.slice(0, i, i + 1))).mean());
  }
  return torch::stack(scores);
}

torch::Tensor Scorer::score(const torch::Tensor& pixels) const {
  const auto& line = options_.scale.calibration;
  return raw(pixels) * line.slope + line.intercept;
}

}  // namespace steadyiqa::models
