#include "data/table.h"

#include "data/xlsx.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/text.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace steadyiqa::data {
namespace {

constexpr std::uint64_t kMaxTextBytes = 256ULL << 20U;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Names reach JSON output later, which must be UTF-8; a UTF-16 export of a spreadsheet is found out here, too.
bool is_utf8_text(std::string_view line) { return line.find('\0') == std::string_view::npos && is_utf8(line); }

/// The lines of a text that are not blank.
class LineReader {
 public:
  LineReader(std::string path, std::string_view text) : path_(std::move(path)), rest_(text) {
    if (rest_.starts_with(kByteOrderMark)) {
      rest_.remove_prefix(kByteOrderMark.size());
    }
  }

  /// The next line that is not blank, cut up by `split`.
  template <class Split>
  std::optional<TableRow> next(Split split) {
    while (!rest_.empty()) {
      const std::string_view text = take_line();
      if (!is_utf8_text(text)) {
        fail_input("{}:{}: not UTF-8 text", path_, line_);
      }
      if (trim(text).empty()) {
        continue;
      }
      try {
        return TableRow{line_, split(text)};
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

Places find_columns(const std::string& path, const TableRow& header, std::span<const TableColumn> columns,
                    OtherColumns other) {
  const auto spelling = [other](std::string_view name) {
    return other == OtherColumns::kIgnored ? lower(trim(name)) : std::string(trim(name));
  };
  std::vector<std::string> known;
  for (const TableColumn& column : columns) {
    known.push_back(spelling(column.name));
  }
  Places places(columns.size());
  for (std::size_t i = 0; i < header.fields.size(); ++i) {
    const auto found = std::find(known.begin(), known.end(), spelling(header.fields[i]));
    if (found == known.end() && other == OtherColumns::kIgnored) {
      continue;
    }
    const std::string name(trim(header.fields[i]));
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

/// Words with blanks or one comma between them.
std::vector<std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  for (const std::string& part : split_csv_line(line)) {
    std::string_view rest = trim(part);
    do {
      const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
      words.emplace_back(rest.substr(0, end));
      rest = trim(rest.substr(end));
    } while (!rest.empty());
  }
  return words;
}

std::vector<TableRow> read_sheet(const std::filesystem::path& path) {
  std::vector<TableRow> rows = read_xlsx(path);
  for (const TableRow& row : rows) {
    for (const std::string& field : row.fields) {
      if (!is_utf8_text(field)) {
        fail_input("{}:{}: not UTF-8 text", path.string(), row.line);
      }
    }
  }
  return rows;
}

}  // namespace

std::vector<TableRow> read_rows(const std::filesystem::path& path) {
  const std::string text = read_text_file(path, kMaxTextBytes);
  if (text.starts_with("PK\x03\x04")) {
    return read_sheet(path);
  }
  if (text.starts_with("MATLAB ")) {
    fail_input("{}: a MATLAB file, where a CSV was expected: export the list as CSV", path.string());
  }
  std::vector<TableRow> rows;
  LineReader reader(path.string(), text);
  while (std::optional<TableRow> row = reader.next(split_csv_line)) {
    rows.push_back(std::move(*row));
  }
  return rows;
}

std::vector<TableRow> read_table(const std::filesystem::path& path, std::span<const TableColumn> columns,
                                 OtherColumns other) {
  std::vector<TableRow> rows = read_rows(path);
  if (rows.empty()) {
    fail_input("{}: empty file, a header line was expected", path.string());
  }
  const TableRow header = std::move(rows.front());
  rows.erase(rows.begin());
  const Places places = find_columns(path.string(), header, columns, other);
  for (TableRow& row : rows) {
    if (row.fields.size() != header.fields.size()) {
      fail_input("{}:{}: {} fields where the header has {}", path.string(), row.line, row.fields.size(),
                 header.fields.size());
    }
    std::vector<std::string> wanted(columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (places[i]) {
        wanted[i] = std::move(row.fields[*places[i]]);
      }
    }
    row.fields = std::move(wanted);
  }
  if (rows.empty()) {
    fail_input("{}: a header but no rows", path.string());
  }
  return rows;
}

std::vector<TableRow> read_words(const std::filesystem::path& path, std::size_t count) {
  const std::string text = read_text_file(path, kMaxTextBytes);
  LineReader reader(path.string(), text);
  std::vector<TableRow> rows;
  while (std::optional<TableRow> row = reader.next(split_words)) {
    if (row->fields.size() != count) {
      fail_input("{}:{}: {} words where {} were expected", path.string(), row->line, row->fields.size(), count);
    }
    rows.push_back(std::move(*row));
  }
  if (rows.empty()) {
    fail_input("{}: no lines", path.string());
  }
  return rows;
}

}  // namespace steadyiqa::data
