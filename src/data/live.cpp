// LIVE Image Quality Assessment Database, release 2 (Sheikh, Sabir, Bovik 2006).
#include "data/dataset.h"

#include "data/mat_variable.h"
#include "data/release.h"

#include "base/error.h"

#include <array>

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

/// The lists hold the distortions' images img1.bmp, img2.bmp, ... in this order.
struct LiveDistortion {
  const char* folder;
  std::size_t images;
};
constexpr std::array<LiveDistortion, 5> kDistortions{
    {{"jp2k", 227}, {"jpeg", 233}, {"wn", 174}, {"gblur", 174}, {"fastfading", 174}}};
constexpr std::size_t kEntries = 982;  // 203 of them pristine copies

/// Where the DMOS stand, and under which name.
struct Labels {
  fs::path file;
  std::string variable;
};

Labels find_labels(const FileFinder& folder, const std::string& wanted, DatasetBuilder& builder) {
  const auto realigned = folder.existing("dmos_realigned.mat");
  if (wanted == "dmos_realigned" || (wanted.empty() && realigned)) {
    return {folder.any_of("LIVE", {"dmos_realigned.mat"}), "dmos_new"};
  }
  const fs::path older =
      wanted.empty() ? folder.any_of("LIVE", {"dmos_realigned.mat", "dmos.mat"}) : folder.any_of("LIVE", {"dmos.mat"});
  builder.note("labels of the older dmos.mat, not realigned");
  return {older, "dmos"};
}

/// "jp2k/img1.bmp", ...
std::vector<std::string> image_names() {
  std::vector<std::string> names;
  for (const LiveDistortion& distortion : kDistortions) {
    for (std::size_t i = 1; i <= distortion.images; ++i) {
      names.push_back(fmt::format("{}/img{}.bmp", distortion.folder, i));
    }
  }
  return names;
}

}  // namespace

Dataset read_live(const fs::path& dir, const ReadOptions& options) {
  const FileFinder folder({dir});
  DatasetBuilder builder({"live", {0, 100, Direction::kLowerIsBetter, "live raw DMOS 0..100"}, {-20, 130}, 779},
                         DatasetBuilder::Names::kPaths);
  const Labels labels = find_labels(folder, options.labels, builder);
  const MatVariable dmos_list(labels.file, labels.variable);
  const MatVariable pristine_list(labels.file, "orgs");
  const MatVariable reference_list(folder.any_of("LIVE", {"refnames_all.mat"}), "refnames_all");
  for (const MatVariable* list : {&dmos_list, &pristine_list, &reference_list}) {
    if (list->count() != kEntries) {
      fail_input("{}: {} entries where the release has {}", list->where(), list->count(), kEntries);
    }
  }
  const std::vector<double> dmos = dmos_list.numbers(-20, 130);
  const std::vector<double> pristine = pristine_list.numbers(0, 1);
  const std::vector<std::string> references = reference_list.names();
  const FileFinder pristine_files({folder.any_of("LIVE", {"refimgs"})});
  std::unordered_map<std::string, FileFinder> finders;
  const std::vector<std::string> names = image_names();
  for (std::size_t i = 0; i < kEntries; ++i) {
    if (pristine[i] != 0) {
      continue;
    }
    const fs::path name(names[i]);
    const std::string distortion = name.parent_path().string();
    if (finders.count(distortion) == 0) {
      finders.emplace(distortion, FileFinder({folder.any_of("LIVE", {distortion})}));
    }
    Sample sample{names[i], finders.at(distortion).path_of(name.filename().string()), dmos[i]};
    sample.reference = fs::path(references[i]).stem().string();
    builder.add_reference(sample.reference, pristine_files.path_of(references[i]));
    builder.add(dmos_list.place(i), std::move(sample));
  }
  return builder.finish();
}

}  // namespace steadyiqa::data
