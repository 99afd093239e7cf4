// TID2013, Tampere Image Database (Ponomarenko et al. 2015).
#include "data/dataset.h"

#include "data/release.h"
#include "data/table.h"

#include "base/error.h"

namespace steadyiqa::data {
namespace {

namespace fs = std::filesystem;

constexpr NamePattern kTidName{
    "I01_02_3.bmp", {{{"reference content", 2, 1, 25}, {"distortion type", 2, 1, 24}, {"distortion level", 1, 1, 5}}}};

/// The deviations of the ratings, one a line in the order of the labels; empty where the file is missing.
std::vector<double> deviations(const FileFinder& folder, std::size_t count) {
  std::vector<double> values;
  if (const auto file = folder.existing("mos_std.txt")) {
    for (const TableRow& row : read_words(*file, 1)) {
      values.push_back(number_in(fmt::format("{}:{}", file->string(), row.line), "std", row.fields[0], {0, 9}));
    }
    if (values.size() != count) {
      fail_input("{}: {} lines where mos_with_names.txt has {}", file->string(), values.size(), count);
    }
  }
  return values;
}

}  // namespace

Dataset read_tid2013(const fs::path& dir, const ReadOptions& /*options*/) {
  const FileFinder folder({dir});
  DatasetBuilder builder({"tid2013", {0, 9, Direction::kHigherIsBetter, "tid2013 raw MOS 0..9"}, {0, 9}, 3000});
  const FileFinder images({folder.any_of("TID2013", {"distorted_images"})});
  const FileFinder pristine({folder.any_of("TID2013", {"reference_images"})});
  const fs::path list = folder.any_of("TID2013", {"mos_with_names.txt"});
  const std::vector<TableRow> rows = read_words(list, 2);
  const std::vector<double> std = deviations(folder, rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string place = fmt::format("{}:{}", list.string(), rows[i].line);
    const std::string& name = rows[i].fields[1];
    Sample sample{name, images.path_of(name), builder.label(place, rows[i].fields[0])};
    sample.reference = reference_in_name(place, name, kTidName);
    if (!std.empty()) {
      sample.std = std[i];
    }
    builder.add_reference(sample.reference, pristine.path_of(sample.reference + ".BMP"));
    builder.add(place, std::move(sample));
  }
  return builder.finish();
}

}  // namespace steadyiqa::data
