// Decoding in the background, so that the network never waits.
#pragma once

#include "data/dataset.h"
#include "image/resize.h"

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::data {

/// The one image-to-tensor conversion: [3,H,W] float32 RGB in [0,1] (value / 255), contiguous.
[[nodiscard]] torch::Tensor to_tensor(const image::Image& image);
/// Back to 8 bits: [3,H,W] or [1,3,H,W], clamped to [0,1], rounded half away from zero.
[[nodiscard]] image::Image to_image(const torch::Tensor& tensor);

/// Tells a picture again in whatever file it is: 16 hex digits of the SHA-256 of its size and pixels, as to_image takes
/// them.
[[nodiscard]] std::string pixel_digest(const torch::Tensor& tensor);

/// Runs `make(i)` for i = 0..count-1 on background threads and hands the values out in order. At most `ahead` values
/// wait. An exception thrown by make(i) is rethrown by the next() that would have returned value i.
template <class T>
class Prefetcher {
 public:
  Prefetcher(std::int64_t count, std::function<T(std::int64_t)> make, int threads = 2, int ahead = 8);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;
  Prefetcher(Prefetcher&&) = delete;
  Prefetcher& operator=(Prefetcher&&) = delete;
  /// The next value in order; must be called at most `count` times.
  T next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One training draw: which sample, which crop.
struct CropDraw {
  std::int64_t sample = 0;  ///< index into the data set
  std::int64_t copy = 0;    ///< which of the epoch's crops of that image
};

enum class Flip { kNone, kHorizontal, kVertical };

struct SamplerOptions {
  int crop = 224;           ///< side in pixels
  bool whole = false;       ///< the whole image in place of a crop
  int crops_per_image = 1;  ///< each image is listed so often in an epoch (HyperIQA: 25)
  Flip flip = Flip::kHorizontal;
  double flip_probability = 0.5;
  std::uint64_t seed = 0;
};

/// The order of epoch `epoch`: every (sample, copy) once, shuffled by derive_seed(seed, "order", epoch).
[[nodiscard]] std::vector<CropDraw> epoch_order(std::int64_t samples, const SamplerOptions& options,
                                                std::int64_t epoch);
/// The crop (and flip) of one draw: place derived from (seed, epoch, sample, copy) only. An image with a side below the
/// crop is first enlarged so that its short side equals the crop (Pillow bilinear).
[[nodiscard]] image::Image draw_crop(const image::Image& image, const SamplerOptions& options, std::int64_t epoch,
                                     const CropDraw& draw);

/// How an image file is read for training: as a Scorer's input policy says.
struct ReadRule {
  image::Orientation orientation = image::Orientation::kApplied;
  image::ResizeRule resize{};
};

/// What an ImageCache keeps unless told otherwise.
inline constexpr std::uint64_t kCacheBytes = 2ULL << 30U;

/// Decoded images kept in memory up to a limit, for data sets that are read once an epoch. Thread-safe.
class ImageCache {
 public:
  /// Images are kept as the rule leaves them.
  explicit ImageCache(const Dataset& dataset, std::uint64_t max_bytes = kCacheBytes, ReadRule rule = {});
  ~ImageCache();
  ImageCache(const ImageCache&) = delete;
  ImageCache& operator=(const ImageCache&) = delete;
  ImageCache(ImageCache&&) = delete;
  ImageCache& operator=(ImageCache&&) = delete;
  /// Throws Error(kInput) when the image cannot be decoded.
  [[nodiscard]] std::shared_ptr<const image::Image> get(std::int64_t sample);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A training batch.
struct Batch {
  torch::Tensor pixels;  ///< [N,3,crop,crop] ([N,3,H,W] of whole images) in [0,1]
  torch::Tensor mos;     ///< [N] float32, raw labels
};
/// Assembles draws [first, first+size) of `order` into a batch. Throws Error(kInput) for images (whole ones) of
/// different sizes.
[[nodiscard]] Batch make_batch(ImageCache& cache, const Dataset& dataset, std::span<const CropDraw> draws,
                               const SamplerOptions& options, std::int64_t epoch);

}  // namespace steadyiqa::data

#include "data/prefetcher_impl.h"
