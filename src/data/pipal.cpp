// PIPAL, perceptual image processing algorithms (Gu et al. 2020).
#include "data/dataset.h"

#include "data/release.h"
#include "data/table.h"

#include "base/error.h"

#include <algorithm>

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

constexpr NamePattern kPipalName{
    "A0000_01_02.bmp", {{{"reference content", 4, 0, 9999}, {"distortion class", 2, 0, 99}, {"distortion", 2, 0, 99}}}};

/// Train_Dist, the parts that it is released as, or the one folder that other tools make of all.
std::vector<fs::path> dist_folders(const FileFinder& folder, DatasetBuilder& builder) {
  std::vector<fs::path> folders;
  for (const std::string name :
       {"Train_Dist", "Distortion_1", "Distortion_2", "Distortion_3", "Distortion_4", "Dist_Imgs"}) {
    if (const auto path = folder.existing(name)) {
      folders.push_back(*path);
      if (name != "Train_Dist") {
        builder.note(fmt::format("images in {}", name));
      }
    }
  }
  return folders.empty() ? std::vector{folder.any_of("PIPAL", {"Train_Dist", "Distortion_1", "Dist_Imgs"})} : folders;
}

/// The label files, one for each reference, in order.
std::vector<fs::path> label_files(const FileFinder& folder) {
  const fs::path labels = folder.any_of("PIPAL", {"Train_Label"});
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(labels, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (entry->path().extension() == ".txt") {
      files.push_back(entry->path());
    }
  }
  if (error || files.empty()) {
    fail_input("{}: no .txt files of labels in this folder", labels.string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Dataset read_pipal(const fs::path& dir, const ReadOptions& options) {
  const FileFinder folder({dir});
  DatasetBuilder builder(
      {"pipal", {917, 1836, Direction::kHigherIsBetter, "pipal raw Elo 917..1836"}, {0, 3000}, 23200});
  const FileFinder images(dist_folders(folder, builder));
  const FileFinder pristine({folder.any_of("PIPAL", {"Train_Ref", "Ref_Imgs"})});
  const std::vector<fs::path> files =
      options.list.empty() ? label_files(folder) : std::vector{label_list(folder, options.list)};
  if (!options.list.empty()) {
    builder.note(fmt::format("labels of {}", files.front().filename().string()));
  }
  for (const fs::path& file : files) {
    for (const TableRow& row : read_words(file, 2)) {
      const std::string place = fmt::format("{}:{}", file.string(), row.line);
      const std::string& name = row.fields[0];
      Sample sample{name, images.path_of(name), builder.label(place, row.fields[1])};
      sample.reference = reference_in_name(place, name, kPipalName);
      builder.add_reference(sample.reference, pristine.path_of(sample.reference + ".bmp"));
      builder.add(place, std::move(sample));
    }
  }
  return builder.finish();
}

}  // namespace steadyiqa::data
