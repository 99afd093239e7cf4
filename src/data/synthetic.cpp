// The set: references, balanced distortions, labels, train/val/test by reference.
#include "data/synthetic.h"

#include "base/file.h"
#include "base/log.h"
#include "base/seed.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <system_error>
#include <utility>

namespace steadyiqa::data {

namespace {

constexpr int kPairs = kDistortionCount * kDistortionLevels;
constexpr int kMinSize = 32;
constexpr int kMaxSize = 1024;
constexpr std::int64_t kMaxReferences = 100'000;
constexpr double kMaxBytes = 8.0 * (1ULL << 30U);
constexpr int kMaxCropsPerAxis = 3;

/// A pristine image; several crops of one photograph share a reference.
struct Pristine {
  std::string name;       ///< "scene-07", "photo-07-crop-2"
  std::string reference;  ///< "scene-07", "photo-07"
  image::Image image;
};

void check(const SyntheticOptions& options) {
  if (options.size < kMinSize || options.size > kMaxSize) {
    fail_usage("synthetic data: size {} is outside {}..{}", options.size, kMinSize, kMaxSize);
  }
  if (options.versions < 1 || options.versions > kPairs) {
    fail_usage("synthetic data: versions {} is outside 1..{}, the number of distortions and levels", options.versions,
               kPairs);
  }
  if (options.reference_dir.empty() && (options.references < 3 || options.references > kMaxReferences)) {
    fail_usage("synthetic data: references {} is outside 3..{} (train, val and test need one each)", options.references,
               kMaxReferences);
  }
}

void check_memory(std::size_t pristines, const SyntheticOptions& options) {
  const double bytes =
      static_cast<double>(pristines) * static_cast<double>(options.versions + 1) * 3.0 * options.size * options.size;
  if (bytes > kMaxBytes) {
    fail_usage("synthetic data: {} pristine images x {} versions of {} pixels need {:.1f} GiB, more than {:.0f}",
               pristines, options.versions + 1, options.size, bytes / (1ULL << 30U), kMaxBytes / (1ULL << 30U));
  }
}

std::vector<Pristine> procedural_scenes(const SyntheticOptions& options) {
  std::vector<Pristine> scenes;
  for (std::int64_t i = 0; i < options.references; ++i) {
    const std::string name = fmt::format("scene-{:02}", i);
    scenes.push_back({name, name, synthetic_scene(options.seed, i, options.size, options.size)});
  }
  return scenes;
}

std::vector<std::filesystem::path> regular_files(const std::filesystem::path& dir) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  std::filesystem::directory_iterator entries(dir, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    std::error_code ignored;  // an entry whose type cannot be told is no photograph
    if (entries->is_regular_file(ignored)) {
      files.push_back(entries->path());
    }
  }
  if (error) {
    fail_input("{}: cannot list reference photographs: {}", dir.string(), error.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// A grid of size x size crops of the photograph at half resolution, which hides its noise, demosaicing and
/// compression; a large one is reduced further, to about two crops a short side, and a small one less. Nothing for one
/// with a side below `size`: enlarging it would make a blurred pristine.
std::vector<image::Image> photo_crops(const image::Image& photo, int size) {
  const int short_side = std::min(photo.width, photo.height);
  if (short_side < size) {
    return {};
  }
  const double scale = std::max(std::min(0.5, 2.0 * size / short_side), static_cast<double>(size) / short_side);
  const int width = std::max(size, static_cast<int>(std::lround(photo.width * scale)));
  const int height = std::max(size, static_cast<int>(std::lround(photo.height * scale)));
  const image::Image reduced = image::resize_bilinear(photo, width, height);
  const int columns = std::min(width / size, kMaxCropsPerAxis);
  const int rows = std::min(height / size, kMaxCropsPerAxis);
  // Gaps of equal width around and between the crops.
  const auto place = [size](int side, int count, int i) {
    return (side - count * size) * (i + 1) / (count + 1) + i * size;
  };
  std::vector<image::Image> crops;
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      crops.push_back(image::crop(reduced, place(width, columns, column), place(height, rows, row), size, size));
    }
  }
  return crops;
}

std::vector<Pristine> photographs(const SyntheticOptions& options) {
  std::vector<Pristine> pristines;
  std::int64_t photos = 0;
  for (const auto& path : regular_files(options.reference_dir)) {
    const Result<image::Image> photo = image::read_image(path);
    if (!photo) {
      log_warning("reference photograph skipped: {}", photo.error());
      continue;
    }
    std::vector<image::Image> crops = photo_crops(photo.value(), options.size);
    if (crops.empty()) {
      log_warning("reference photograph skipped: {}: {}x{} is smaller than {}", path.string(), photo.value().width,
                  photo.value().height, options.size);
      continue;
    }
    const std::string reference = fmt::format("photo-{:02}", photos++);
    for (std::size_t i = 0; i < crops.size(); ++i) {
      pristines.push_back({fmt::format("{}-crop-{}", reference, i), reference, std::move(crops[i])});
    }
    check_memory(pristines.size(), options);
  }
  if (photos < 3) {
    fail_input("{}: {} usable reference photographs; train, val and test need one each, so at least 3",
               options.reference_dir.string(), photos);
  }
  return pristines;
}

/// Deals (distortion, level) pairs so that all come equally often over the set and no image gets one twice.
class PairDeck {
 public:
  explicit PairDeck(std::uint64_t seed) : seed_(seed) {}

  std::vector<int> deal(std::int64_t count) {
    std::vector<int> hand;
    std::size_t place = 0;
    while (static_cast<std::int64_t>(hand.size()) < count) {
      if (place == deck_.size()) {
        refill();
      }
      const int pair = deck_[place];
      if (std::find(hand.begin(), hand.end(), pair) == hand.end()) {
        hand.push_back(pair);
        deck_.erase(deck_.begin() + static_cast<std::ptrdiff_t>(place));
      } else {
        ++place;  // stays for the next image
      }
    }
    return hand;
  }

 private:
  void refill() {
    std::vector<int> pairs(kPairs);
    for (int i = 0; i < kPairs; ++i) {
      pairs[static_cast<std::size_t>(i)] = i;
    }
    Rng rng(derive_seed(seed_, "pairs", refills_++));
    shuffle(pairs, rng);
    deck_.insert(deck_.end(), pairs.begin(), pairs.end());
  }

  std::uint64_t seed_;
  std::uint64_t refills_ = 0;
  std::deque<int> deck_;
};

/// 70 % train, 15 % val, 15 % test of the references, at least one each.
void assign_sets(Dataset& dataset, std::uint64_t seed) {
  std::vector<std::string> references;
  for (const Sample& sample : dataset.samples) {
    if (references.empty() || references.back() != sample.reference) {
      references.push_back(sample.reference);
    }
  }
  Rng rng(derive_seed(seed, "sets"));
  shuffle(references, rng);
  const auto held_out = std::max<std::ptrdiff_t>(1, std::lround(0.15 * static_cast<double>(references.size())));
  const auto val_end = references.begin() + held_out;
  const auto test_end = val_end + held_out;
  std::sort(references.begin(), val_end);
  std::sort(val_end, test_end);
  for (Sample& sample : dataset.samples) {
    const bool val = std::binary_search(references.begin(), val_end, sample.reference);
    const bool test = std::binary_search(val_end, test_end, sample.reference);
    sample.set = val ? "val" : test ? "test" : "train";
  }
}

void add(SyntheticSet& set, std::string name, const Pristine& pristine, image::Image image) {
  Sample sample;
  sample.name = std::move(name);
  sample.reference = pristine.reference;
  // Three decimals: the last bits of floating-point sums differ between machines.
  sample.mos = std::round(synthetic_mos(pristine.image, image) * 1000) / 1000;
  set.dataset.samples.push_back(std::move(sample));
  set.images.push_back(std::move(image));
}

}  // namespace

SyntheticSet make_synthetic_set(const SyntheticOptions& options) {
  check(options);
  if (options.reference_dir.empty()) {
    check_memory(static_cast<std::size_t>(options.references), options);
  }
  const std::vector<Pristine> pristines =
      options.reference_dir.empty() ? procedural_scenes(options) : photographs(options);
  SyntheticSet set;
  set.dataset.name = "synthetic";
  set.dataset.scale = {.min = 0, .max = 100, .direction = Direction::kHigherIsBetter, .name = "synthetic MOS"};
  PairDeck deck(options.seed);
  for (std::size_t i = 0; i < pristines.size(); ++i) {
    const Pristine& pristine = pristines[i];
    add(set, pristine.name + "-pristine.png", pristine, pristine.image);
    for (const int pair : deck.deal(options.versions)) {
      const auto distortion = static_cast<Distortion>(pair / kDistortionLevels);
      const int level = pair % kDistortionLevels + 1;
      const std::uint64_t seed = derive_seed(options.seed, "version", i, static_cast<std::uint64_t>(pair));
      add(set, fmt::format("{}-{}-{}.png", pristine.name, distortion_name(distortion), level), pristine,
          distort(pristine.image, distortion, level, seed));
    }
  }
  assign_sets(set.dataset, options.seed);
  return set;
}

void write_synthetic_set(SyntheticSet& set, const std::filesystem::path& dir) {
  STEADYIQA_ASSERT(set.images.size() == set.dataset.samples.size(), "one image per sample");
  std::string manifest = "image,mos,reference,set\n";
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    Sample& sample = set.dataset.samples[i];
    sample.path = dir / sample.name;
    image::write_png(sample.path, set.images[i]);
    manifest +=
        fmt::format("{},{},{},{}\n", csv_field(sample.name), sample.mos, csv_field(sample.reference), sample.set);
  }
  // Last, so that a manifest means a complete set.
  write_file_atomic(dir / "manifest.csv", manifest);
}

}  // namespace steadyiqa::data
