// LIVE in the Wild Image Quality Challenge Database (Ghadiyaram, Bovik 2016) from its official release.
#include "data/dataset.h"

#include "data/mat_variable.h"
#include "data/release.h"

#include "base/error.h"

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

/// The first entries (t1.bmp .. t7.bmp) trained the raters and are not part of the test set (the release's README).
constexpr std::size_t kRaterTrainingEntries = 7;

fs::path release_folder(const fs::path& dir) {
  for (const fs::path& folder : {dir, dir / "ChallengeDB_release"}) {
    std::error_code ignored;
    if (fs::is_directory(folder / "Data", ignored)) {
      return folder;
    }
  }
  fail_input("{}: no LIVE in the Wild here (neither Data/ nor ChallengeDB_release/Data/)", dir.string());
}

}  // namespace

Dataset read_livec(const fs::path& dir, const ReadOptions& /*options*/) {
  const fs::path folder = release_folder(dir);
  const MatVariable image_list(folder / "Data" / "AllImages_release.mat", "AllImages_release");
  const MatVariable mos_list(folder / "Data" / "AllMOS_release.mat", "AllMOS_release");
  const MatVariable std_list(folder / "Data" / "AllStdDev_release.mat", "AllStdDev_release");
  require_same_count(mos_list, image_list);
  require_same_count(std_list, image_list);
  if (image_list.count() <= kRaterTrainingEntries) {
    fail_input("{}: {} entries, of which the first {} are not part of the data set", image_list.where(),
               image_list.count(), kRaterTrainingEntries);
  }
  const std::vector<std::string> names = image_list.names();
  const std::vector<double> mos = mos_list.numbers(0, 100);
  const std::vector<double> deviations = std_list.numbers(0, 100);

  DatasetBuilder builder(
      {"livec", {3.42, 92.43195, Direction::kHigherIsBetter, "livec raw MOS 3.42..92.43195"}, {0, 100}, 1162});
  for (std::size_t i = kRaterTrainingEntries; i < names.size(); ++i) {
    builder.add(image_list.place(i), {names[i], folder / "Images" / names[i], mos[i], deviations[i]});
  }
  return builder.finish();
}

}  // namespace steadyiqa::data
