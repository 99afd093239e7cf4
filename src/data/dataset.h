// Lists of rated images: what readers return and everything else takes.
#pragma once

#include "image/image.h"
#include "stats/label_scale.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::data {

using stats::Direction;
using stats::LabelScale;

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
  std::map<std::string, std::filesystem::path> references{};  ///< pristine images by Sample::reference; may not exist
  std::vector<std::string> notes{};                           ///< what the reader met and accepted, a line each
  /// Digest of names, labels and sets in order (not of pixels): what a result says it was measured on.
  [[nodiscard]] std::string digest() const;
};

/// What a reader may be told beside the folder: "koniq:DIR,labels=mos,images=512x384". "" is the usual.
struct ReadOptions {
  std::string labels;  ///< which of the release's labels
  std::string list;    ///< a file of "NAME SCORE" lines in place of the release's labels
  std::string images;  ///< which of the release's image folders
};

/// Opens "READER:PATH[,option=value...]" or a path ending in .csv. Throws Error(kUsage) for an unknown reader or option
/// (naming the nearest), Error(kInput) for a wrong or missing file. Does not open image files. A path that exists is
/// taken whole, even if it ends like an option.
[[nodiscard]] Dataset open_dataset(const std::string& spec);
/// Names and one-line helps of the readers, for --help.
struct ReaderInfo {
  std::string name;
  std::string help;
};
[[nodiscard]] std::span<const ReaderInfo> dataset_readers();

// The readers. Labels stay raw; docs/datasets.md says of each set where it comes from and what its layouts are. Every
// row that is wrong is an Error(kInput) with file and line; what is only unusual (a partial list, a variant of the
// layout) is in Dataset::notes.

/// LIVE in the Wild as officially released: DIR or DIR/ChallengeDB_release with Images/ and
/// Data/All{Images,MOS,StdDev}_ release.mat (MATLAB v5). The first 7 entries are training images and are dropped: 1162
/// samples in the release's order. MOS stays raw (3.42..92.43195).
[[nodiscard]] Dataset read_livec(const std::filesystem::path& dir, const ReadOptions& options = {});
/// A CSV with a header: image, mos[, std, reference, set]; other columns are an error. Paths are relative to the CSV.
/// Labels are 0-100, higher is better. A NaN, infinite or non-numeric mos, a duplicate image, or an empty list is an
/// error that names file and line.
[[nodiscard]] Dataset read_manifest(const std::filesystem::path& csv, const ReadOptions& options = {});
/// LIVE (databaserelease2): 779 distorted images of 29 references; DMOS, lower is better, nominally 0..100.
/// labels: dmos_realigned (usual), dmos.
[[nodiscard]] Dataset read_live(const std::filesystem::path& dir, const ReadOptions& options = {});
/// CSIQ: 866 images of 30 references; DMOS 0..1, lower is better.
[[nodiscard]] Dataset read_csiq(const std::filesystem::path& dir, const ReadOptions& options = {});
/// TID2013: 3000 images of 25 references; MOS 0..9.
[[nodiscard]] Dataset read_tid2013(const std::filesystem::path& dir, const ReadOptions& options = {});
/// KonIQ-10k: 10073 images, with the official sets where koniq10k_distributions_sets.csv is there. labels: mos_zscore
/// (usual, 0..100), mos (1..5), mos_100 (1..100). images: 1024x768 (usual), 512x384. list: MOS 1..5.
[[nodiscard]] Dataset read_koniq(const std::filesystem::path& dir, const ReadOptions& options = {});
/// BID: 586 images; 0..5.
[[nodiscard]] Dataset read_bid(const std::filesystem::path& dir, const ReadOptions& options = {});
/// KADID-10k: 10125 images of 81 references; called DMOS, but 1..5 and higher is better. Takes a list.
[[nodiscard]] Dataset read_kadid(const std::filesystem::path& dir, const ReadOptions& options = {});
/// SPAQ: 11125 images; MOS 0..100.
[[nodiscard]] Dataset read_spaq(const std::filesystem::path& dir, const ReadOptions& options = {});
/// PIPAL, training part: 23200 images of 200 references; Elo, nominally 917..1836. Takes a list.
[[nodiscard]] Dataset read_pipal(const std::filesystem::path& dir, const ReadOptions& options = {});

}  // namespace steadyiqa::data
