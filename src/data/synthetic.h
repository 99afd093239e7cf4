// A data set from nothing: procedural scenes with natural-image statistics, distorted and rated, so that training and
// attacks can be tried with no download. The same generator takes real pristine photographs.
#pragma once

#include "data/dataset.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace steadyiqa::data {

enum class Distortion { kBlur, kNoise, kJpeg, kContrast, kBlockLoss, kColourShift };
inline constexpr int kDistortionCount = 6;
inline constexpr int kDistortionLevels = 5;
[[nodiscard]] std::string distortion_name(Distortion distortion);

/// A scene of the given size: by index one of dead leaves (occluding discs with power-law radii; Lee, Mumford, Huang
/// 2001), 1/f texture, smooth gradients, text-like glyphs, edges and polygons, or a mixture. Pure function of (seed,
/// index, size).
[[nodiscard]] image::Image synthetic_scene(std::uint64_t seed, std::int64_t index, int width, int height);

/// `level` 1 (slight) to 5 (severe). Pure function of its arguments; `seed` places noise and lost blocks.
[[nodiscard]] image::Image distort(const image::Image& pristine, Distortion distortion, int level, std::uint64_t seed);

/// A 0-100 label (100 = like the pristine) from full-reference fidelity of distorted against pristine; monotone in
/// level for each distortion on natural images. The formula is stated in the .cpp and in docs.
[[nodiscard]] double synthetic_mos(const image::Image& pristine, const image::Image& distorted);

struct SyntheticOptions {
  std::int64_t references = 40;  ///< procedural scenes (ignored when `reference_dir` is given)
  std::int64_t versions = 10;    ///< distorted versions of each reference (plus the pristine itself)
  int size = 128;                ///< side in pixels of each image
  std::uint64_t seed = 1;
  std::filesystem::path reference_dir{};  ///< real photographs, some crops of `size` of each; "" = procedural
};

/// Rated images in memory; Dataset::samples[i] describes images[i] (path empty unless written).
struct SyntheticSet {
  Dataset dataset;  ///< reference = scene id, name = "scene-07-jpeg-3.png"; set assigned by reference
  std::vector<image::Image> images;
};
[[nodiscard]] SyntheticSet make_synthetic_set(const SyntheticOptions& options);
/// Writes images as PNG and manifest.csv (readable by read_manifest) under `dir`, and fills in Sample::path.
void write_synthetic_set(SyntheticSet& set, const std::filesystem::path& dir);

}  // namespace steadyiqa::data
