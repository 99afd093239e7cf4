#include "data/dataset.h"
#include "data/release.h"
#include "data/split.h"
#include "data/table.h"

#include "base/error.h"
#include "base/text.h"

#include <array>

namespace steadyiqa::data {
namespace {

enum Column : std::size_t { kImage, kMos, kStd, kReference, kSet, kColumnCount };

}  // namespace

Dataset read_manifest(const std::filesystem::path& csv, const ReadOptions& /*options*/) {
  const std::array<TableColumn, kColumnCount> columns{
      {{"image", true}, {"mos", true}, {"std", false}, {"reference", false}, {"set", false}}};
  DatasetBuilder builder({csv.stem().string(), {0, 100, Direction::kHigherIsBetter, "manifest 0..100"}, {0, 100}, 0},
                         DatasetBuilder::Names::kPaths);
  for (const TableRow& row : read_table(csv, columns)) {
    const std::string place = fmt::format("{}:{}", csv.string(), row.line);
    Sample sample;
    sample.name = row.fields[kImage];
    sample.path = csv.parent_path() / sample.name;
    sample.mos = builder.label(place, row.fields[kMos]);
    if (!trim(row.fields[kStd]).empty()) {
      sample.std = number_in(place, "std", row.fields[kStd], {0, 100});
    }
    sample.reference = trim(row.fields[kReference]);
    sample.set = canonical_set(row.fields[kSet]);
    builder.add(place, std::move(sample));
  }
  return builder.finish();
}

}  // namespace steadyiqa::data
