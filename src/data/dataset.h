// Lists of rated images: what readers return and everything else takes.
#pragma once

#include "image/image.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::data {

enum class Direction { kHigherIsBetter, kLowerIsBetter };

/// The scale of a data set's labels.
struct LabelScale {
  double min = 0;
  double max = 100;
  Direction direction = Direction::kHigherIsBetter;
  std::string name;  ///< where the range comes from, e.g. "livec raw MOS 3.42..92.43195"
  /// The label on a 0-100, higher-is-better scale.
  [[nodiscard]] double to_0_100(double label) const;
};

/// One rated image.
struct Sample {
  std::string name;             ///< as the data set's own list spells it
  std::filesystem::path path;   ///< of the image file; may not exist until a split needs it
  double mos = 0;               ///< raw, on the data set's own scale
  std::optional<double> std{};  ///< of the ratings, same scale
  std::string reference{};      ///< id of the pristine content, "" when there is none
  std::string set{};            ///< "train", "val", "test" or another name, "" when none is given
};

struct Dataset {
  std::string name;
  LabelScale scale;
  std::vector<Sample> samples;
  /// Digest of names, labels and sets in order (not of pixels): what a result says it was measured on.
  [[nodiscard]] std::string digest() const;
};

/// Opens "livec:DIR", "manifest:FILE.csv" or a path ending in .csv. Throws Error(kUsage) for an unknown reader (naming
/// the nearest), Error(kInput) for a wrong or missing file. Does not look at image files.
[[nodiscard]] Dataset open_dataset(const std::string& spec);
/// Names and one-line helps of the readers, for --help.
struct ReaderInfo {
  std::string name;
  std::string help;
};
[[nodiscard]] std::span<const ReaderInfo> dataset_readers();

/// LIVE in the Wild as officially released: DIR or DIR/ChallengeDB_release with Images/ and
/// Data/All{Images,MOS,StdDev}_ release.mat (MATLAB v5). The first 7 entries are training images and are dropped: 1162
/// samples in the release's order. MOS stays raw (3.42..92.43195).
[[nodiscard]] Dataset read_livec(const std::filesystem::path& dir);
/// A CSV with a header: image, mos[, std, reference, set]; other columns are an error. Paths are relative to the CSV.
/// Labels are 0-100, higher is better. A NaN, infinite or non-numeric mos, a duplicate image, or an empty list is an
/// error that names file and line.
[[nodiscard]] Dataset read_manifest(const std::filesystem::path& csv);

}  // namespace steadyiqa::data
