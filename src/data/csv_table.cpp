#include "data/csv_table.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace steadyiqa::data {
namespace {

constexpr std::uint64_t kMaxCsvBytes = 256ULL << 20U;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Names reach JSON output later, which must be UTF-8; a UTF-16 export of a spreadsheet is found out here, too.
bool is_utf8_text(std::string_view line) {
  if (line.find('\0') != std::string_view::npos) {
    return false;
  }
  try {
    static_cast<void>(nlohmann::json(line).dump());
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

/// One record of the file with its place.
struct Record {
  std::int64_t line = 0;
  std::vector<std::string> fields;
};

class RecordReader {
 public:
  RecordReader(std::string path, std::string_view text) : path_(std::move(path)), rest_(text) {
    if (rest_.starts_with(kByteOrderMark)) {
      rest_.remove_prefix(kByteOrderMark.size());
    }
  }

  /// The next record that is not blank.
  std::optional<Record> next() {
    while (!rest_.empty()) {
      const std::string_view text = take_line();
      if (!is_utf8_text(text)) {
        fail_input("{}:{}: not UTF-8 text", path_, line_);
      }
      if (trim(text).empty()) {
        continue;
      }
      try {
        return Record{line_, split_csv_line(text)};
      } catch (const Error& error) {
        fail_input("{}:{}: {}", path_, line_, error.what());
      }
    }
    return std::nullopt;
  }

 private:
  /// The next line; split_csv_line drops a carriage return at its end.
  std::string_view take_line() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++line_;
    return line;
  }

  std::string path_;
  std::string_view rest_;
  std::int64_t line_ = 0;
};

/// For each wanted column its place in the header, if it is there.
using Places = std::vector<std::optional<std::size_t>>;

Places find_columns(const std::string& path, const Record& header, std::span<const CsvColumn> columns) {
  std::vector<std::string> known;
  for (const CsvColumn& column : columns) {
    known.push_back(column.name);
  }
  Places places(columns.size());
  for (std::size_t i = 0; i < header.fields.size(); ++i) {
    const std::string name(trim(header.fields[i]));
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      fail_input("{}:{}: unknown column '{}'{}", path, header.line, name, suggestion(name, known));
    }
    auto& place = places[static_cast<std::size_t>(found - known.begin())];
    if (place) {
      fail_input("{}:{}: column '{}' stands twice in the header", path, header.line, name);
    }
    place = i;
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].required && !places[i]) {
      fail_input("{}:{}: no column '{}' in the header", path, header.line, columns[i].name);
    }
  }
  return places;
}

}  // namespace

std::vector<CsvRow> read_csv(const std::filesystem::path& path, std::span<const CsvColumn> columns) {
  const std::string text = read_text_file(path, kMaxCsvBytes);
  RecordReader reader(path.string(), text);
  const std::optional<Record> header = reader.next();
  if (!header) {
    fail_input("{}: empty file, a header line was expected", path.string());
  }
  const Places places = find_columns(path.string(), *header, columns);
  std::vector<CsvRow> rows;
  while (std::optional<Record> record = reader.next()) {
    if (record->fields.size() != header->fields.size()) {
      fail_input("{}:{}: {} fields where the header has {}", path.string(), record->line, record->fields.size(),
                 header->fields.size());
    }
    CsvRow row{record->line, std::vector<std::string>(columns.size())};
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (places[i]) {
        row.fields[i] = std::move(record->fields[*places[i]]);
      }
    }
    rows.push_back(std::move(row));
  }
  if (rows.empty()) {
    fail_input("{}: a header but no rows", path.string());
  }
  return rows;
}

}  // namespace steadyiqa::data
