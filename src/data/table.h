// Reading small tables: CSV files and spreadsheets with a header, and text files of a few words a line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::data {

struct TableColumn {
  std::string name;
  bool required = false;
};

struct TableRow {
  std::int64_t line = 0;            ///< line of a text file, row of a sheet; from 1
  std::vector<std::string> fields;  ///< from read_table in the order of the wanted columns, "" where the file lacks one
};

/// What a header may hold besides the wanted columns. A release's own tables (kIgnored) hold more than a reader needs,
/// and their columns are found whatever the case; in a table that a user writes (kRefused) an unknown column is a
/// misspelt one.
enum class OtherColumns { kRefused, kIgnored };

/// The rows of a UTF-8 CSV file, or of an .xlsx file's first sheet (told by its first bytes), whose header holds the
/// wanted columns in any order. A byte order mark, CRLF line ends and blank lines are accepted. Throws Error(kInput)
/// "FILE:LINE: ..." for an unknown, repeated or missing column, a row of another width, an unclosed quote, a byte that
/// is not UTF-8 text, and a file without rows.
[[nodiscard]] std::vector<TableRow> read_table(const std::filesystem::path& path, std::span<const TableColumn> columns,
                                               OtherColumns other = OtherColumns::kRefused);

/// The rows of such a file as they stand, the header among them. Blank ones are left out.
[[nodiscard]] std::vector<TableRow> read_rows(const std::filesystem::path& path);

/// The lines of a UTF-8 text file, each of exactly `count` words, with blanks, tabs or one comma between them: the
/// "NAME SCORE", "NAME, SCORE" and "SCORE NAME" lists that data sets and authors' repositories come with. Blank lines
/// are left out. Throws Error(kInput) "FILE:LINE: ..." for another number of words, and for a file without lines.
[[nodiscard]] std::vector<TableRow> read_words(const std::filesystem::path& path, std::size_t count);

}  // namespace steadyiqa::data
