#include "data/loader.h"

#include "base/error.h"

#include <mutex>
#include <utility>

namespace steadyiqa::data {
namespace {

image::Image read(const std::filesystem::path& path, const ReadRule& rule) {
  auto image = image::read_image(path, {}, rule.orientation).value();
  try {
    return image::resize(std::move(image), rule.resize);
  } catch (const Error& error) {
    fail(error.kind(), "{}: {}", path.string(), error.what());
  }
}

}  // namespace

/// Images stay from their first use on until the limit is reached; the others are decoded at each use. Nothing is
/// thrown out again: under a shuffled order, least-recently-used would nearly always throw out the image that is needed
/// next.
struct ImageCache::State {
  std::vector<std::filesystem::path> paths;
  std::uint64_t max_bytes = 0;
  ReadRule rule;
  std::mutex mutex;  ///< guards what follows
  std::uint64_t bytes = 0;
  std::vector<std::shared_ptr<const image::Image>> images;
};

ImageCache::ImageCache(const Dataset& dataset, std::uint64_t max_bytes, ReadRule rule)
    : state_(std::make_unique<State>()) {
  state_->rule = std::move(rule);
  for (const Sample& sample : dataset.samples) {
    state_->paths.push_back(sample.path);
  }
  state_->max_bytes = max_bytes;
  state_->images.resize(dataset.samples.size());
}

ImageCache::~ImageCache() = default;

std::shared_ptr<const image::Image> ImageCache::get(std::int64_t sample) {
  const auto i = static_cast<std::size_t>(sample);
  STEADYIQA_ASSERT(sample >= 0 && i < state_->paths.size(), "ImageCache::get: no such sample");
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->images[i]) {
      return state_->images[i];
    }
  }
  // Decoded outside the lock. Two threads may decode the same image; they get the same pixels.
  auto decoded = std::make_shared<const image::Image>(read(state_->paths[i], state_->rule));
  const std::lock_guard lock(state_->mutex);
  const std::uint64_t size = decoded->pixels.size();
  if (!state_->images[i] && size <= state_->max_bytes - state_->bytes) {
    state_->images[i] = decoded;
    state_->bytes += size;
  }
  return decoded;
}

}  // namespace steadyiqa::data
