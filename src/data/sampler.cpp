#include "data/loader.h"

#include "base/error.h"
#include "base/seed.h"

#include <algorithm>
#include <optional>

namespace steadyiqa::data {
namespace {

/// The image so enlarged that its short side is `side`. An extreme strip would fill the memory and is refused.
image::Image enlarge(const image::Image& source, std::int64_t side) {
  const std::int64_t shorter = std::min(source.width, source.height);
  const std::int64_t longer = std::max(source.width, source.height);
  const std::int64_t new_longer = (2 * longer * side + shorter) / (2 * shorter);  // longer * side / shorter, rounded
  const bool is_wide = source.width >= source.height;
  const auto size =
      image::checked_size({source.width, source.height}, is_wide ? new_longer : side, is_wide ? side : new_longer);
  return image::resize_bilinear(source, size.width, size.height);
}

image::Image random_crop(const image::Image& source, int side, Rng& rng) {
  const auto x = static_cast<int>(rng.below(source.width - side + 1));
  const auto y = static_cast<int>(rng.below(source.height - side + 1));
  return image::crop(source, x, y, side, side);
}

}  // namespace

std::vector<CropDraw> epoch_order(std::int64_t samples, const SamplerOptions& options, std::int64_t epoch) {
  STEADYIQA_ASSERT(samples >= 0 && options.crops_per_image >= 1, "epoch_order: bad number of samples or crops");
  std::vector<CropDraw> order;
  order.reserve(static_cast<std::size_t>(samples * options.crops_per_image));
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    for (std::int64_t copy = 0; copy < options.crops_per_image; ++copy) {
      order.push_back({sample, copy});
    }
  }
  Rng rng(derive_seed(options.seed, "order", static_cast<std::uint64_t>(epoch)));
  shuffle(order, rng);
  return order;
}

image::Image draw_crop(const image::Image& image, const SamplerOptions& options, std::int64_t epoch,
                       const CropDraw& draw) {
  STEADYIQA_ASSERT(options.crop >= 1 && !image.empty(), "draw_crop: crop below 1 or an empty image");
  const bool is_small = !options.whole && std::min(image.width, image.height) < options.crop;
  const std::optional<image::Image> enlarged = is_small ? std::optional(enlarge(image, options.crop)) : std::nullopt;
  const image::Image& source = enlarged ? *enlarged : image;

  const std::uint64_t sample_seed =
      derive_seed(options.seed, "crop", static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(draw.sample));
  Rng rng(derive_seed(sample_seed, "copy", static_cast<std::uint64_t>(draw.copy)));
  image::Image part = options.whole ? image : random_crop(source, options.crop, rng);
  if (options.flip == Flip::kNone || rng.uniform() >= options.flip_probability) {
    return part;
  }
  return options.flip == Flip::kHorizontal ? image::flip_horizontal(part) : image::flip_vertical(part);
}

}  // namespace steadyiqa::data
