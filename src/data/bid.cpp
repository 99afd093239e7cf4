// BID, the blurred image database (Ciancio et al. 2011).
#include "data/dataset.h"

#include "data/release.h"
#include "data/table.h"

#include "base/error.h"
#include "base/text.h"

namespace steadyiqa::data {

Dataset read_bid(const std::filesystem::path& dir, const ReadOptions& /*options*/) {
  const FileFinder folder({dir});
  DatasetBuilder builder({"bid", {0, 5, Direction::kHigherIsBetter, "bid raw MOS 0..5"}, {0, 5}, 586});
  const auto grades = folder.any_of("BID", {"DatabaseGrades.xlsx", "DatabaseGrades.csv"});
  // The header's names are not the same in all copies; the first two columns are number and grade in each.
  const std::vector<TableRow> rows = read_rows(grades);
  if (rows.empty() || parse_number(rows.front().fields.front())) {
    fail_input("{}: no header in its first row", grades.string());
  }
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::string place = fmt::format("{}:{}", grades.string(), rows[i].line);
    if (rows[i].fields.size() < 2) {
      fail_input("{}: no grade", place);
    }
    const int number = whole_number_in(place, "image number", rows[i].fields[0], 1, 9999);
    const std::string name = fmt::format("DatabaseImage{:04}.JPG", number);
    builder.add(place, {name, folder.path_of(name), builder.label(place, rows[i].fields[1])});
  }
  return builder.finish();
}

}  // namespace steadyiqa::data
