#include "image/crop_policy.h"

#include "base/error.h"
#include "base/numpy_random.h"
#include "base/seed.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace steadyiqa::image {
namespace {

using Places = std::vector<std::pair<std::int64_t, std::int64_t>>;

constexpr std::int64_t kFivePoints = 5;

std::int64_t square_root(std::int64_t count) {
  return static_cast<std::int64_t>(std::floor(std::sqrt(static_cast<double>(count))));
}

Places grid_places(std::int64_t count, std::int64_t free_y, std::int64_t free_x) {
  const auto side = square_root(count);
  const auto place = [side](std::int64_t i, std::int64_t free) {
    return side == 1 ? free / 2 : (i * free) / (side - 1);
  };
  Places places;
  for (std::int64_t i = 0; i < count; ++i) {
    places.emplace_back(place(i / side, free_y), place(i % side, free_x));
  }
  // An image no larger than the crop on one side has one place there: each different crop counts once.
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

Places uniform_places(std::int64_t count, std::int64_t free_y, std::int64_t free_x) {
  const auto steps = square_root(count);
  const auto side = steps * steps == count ? steps : steps + 1;
  Places places;
  for (std::int64_t i = 0; i < count; ++i) {
    places.emplace_back(i / side * (free_y / steps), i % side * (free_x / steps));
  }
  return places;
}

Places random_places(const CropPolicy& policy, std::int64_t free_y, std::int64_t free_x) {
  Places places;
  for (std::int64_t i = 0; i < policy.count; ++i) {
    Rng rng(derive_seed(static_cast<std::uint64_t>(policy.seed), "score-crop", static_cast<std::uint64_t>(i)));
    const auto y = rng.below(free_y + 1);
    places.emplace_back(y, rng.below(free_x + 1));
  }
  return places;
}

/// The last offset is never drawn: randint's upper bound is exclusive. Where the authors' code fails, for a side equal
/// to the crop, there is one place.
Places numpy_places(const CropPolicy& policy, std::int64_t free_y, std::int64_t free_x) {
  NumpyRandom random(static_cast<std::uint32_t>(policy.seed));
  Places places;
  for (std::int64_t i = 0; i < policy.count; ++i) {
    const auto y = random.randint(0, std::max<std::int64_t>(free_y, 1));
    places.emplace_back(y, random.randint(0, std::max<std::int64_t>(free_x, 1)));
  }
  return places;
}

}  // namespace

const FieldTable<CropPolicy>& crop_policy_fields() {
  static const FieldTable<CropPolicy> kFields = {
      field("crops", &CropPolicy::kind, {"grid", "random", "centre", "whole", "uniform", "numpy", "five-point"},
            {.help = "which crops of an image are scored (docs/preprocessing.md)"}),
      field("crop-count", &CropPolicy::count,
            {.help = "how many crops; a square number for a grid", .unit = "crops", .min = 1, .max = 1024}),
      field("crop-seed", &CropPolicy::seed, {.help = "seed of random and numpy crops", .min = 0}),
      field("pooling", &CropPolicy::pooling, {"mean", "weighted"},
            {.help = "how an image's crops become one score: mean of theirs, or one weighted mean over all tokens"}),
  };
  return kFields;
}

void check(const CropPolicy& policy) {
  const auto root = square_root(policy.count);
  if (policy.kind == CropKind::kGrid && root * root != policy.count) {
    fail_usage("a grid of crops needs a square number of them, got {} (say 1, 4, 9, 16 or 25)", policy.count);
  }
  if (policy.kind == CropKind::kFivePoint && policy.count > kFivePoints) {
    fail_usage("five-point crops are at most 5, got {}", policy.count);
  }
  if (policy.kind == CropKind::kNumpy && policy.seed > std::numeric_limits<std::uint32_t>::max()) {
    fail_usage("a seed of numpy crops is below 2^32, got {}", policy.seed);
  }
}

Places crop_places(const CropPolicy& policy, std::int64_t crop, std::int64_t height, std::int64_t width) {
  const auto free_y = height - crop;
  const auto free_x = width - crop;
  switch (policy.kind) {
    case CropKind::kGrid:
      return grid_places(policy.count, free_y, free_x);
    case CropKind::kRandom:
      return random_places(policy, free_y, free_x);
    case CropKind::kUniform:
      return uniform_places(policy.count, free_y, free_x);
    case CropKind::kNumpy:
      return numpy_places(policy, free_y, free_x);
    case CropKind::kFivePoint: {
      Places places = {{0, 0}, {0, free_x}, {free_y, 0}, {free_y, free_x}, {free_y / 2, free_x / 2}};
      places.resize(static_cast<std::size_t>(policy.count));
      return places;
    }
    case CropKind::kCentre:
    case CropKind::kWhole:
      break;
  }
  return {{free_y / 2, free_x / 2}};
}

}  // namespace steadyiqa::image
