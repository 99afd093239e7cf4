// SPAQ, smartphone photography attribute and quality database (Fang et al. 2020).
#include "data/dataset.h"

#include "data/release.h"
#include "data/table.h"

#include "base/error.h"
#include "base/text.h"

#include <array>

namespace steadyiqa::data {

Dataset read_spaq(const std::filesystem::path& dir, const ReadOptions& /*options*/) {
  const FileFinder folder({dir});
  DatasetBuilder builder({"spaq", {0, 100, Direction::kHigherIsBetter, "spaq raw MOS 0..100"}, {0, 100}, 11125});
  const FileFinder images({folder.any_of("SPAQ", {"TestImage"})});
  const FileFinder annotations({folder.any_of("SPAQ", {"Annotations"})});
  const auto scores =
      annotations.any_of("SPAQ", {"MOS and Image attribute scores.xlsx", "MOS and Image attribute scores.csv"});
  const std::array<TableColumn, 2> columns{{{"Image name", true}, {"MOS", true}}};
  for (const TableRow& row : read_table(scores, columns, OtherColumns::kIgnored)) {
    const std::string place = fmt::format("{}:{}", scores.string(), row.line);
    const std::string name(trim(row.fields[0]));
    builder.add(place, {name, images.path_of(name), builder.label(place, row.fields[1])});
  }
  return builder.finish();
}

}  // namespace steadyiqa::data
