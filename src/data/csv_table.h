// Reading small CSV tables with a header: manifests and split lists.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::data {

struct CsvColumn {
  std::string name;
  bool required = false;
};

struct CsvRow {
  std::int64_t line = 0;            ///< in the file, from 1
  std::vector<std::string> fields;  ///< in the order of the wanted columns; "" where the file lacks an optional column
};

/// The rows of a UTF-8 CSV whose header holds the wanted columns in any order. A byte order mark, CRLF line ends and
/// blank lines are accepted. Throws Error(kInput) "FILE:LINE: ..." for an unknown, repeated or missing column, a row of
/// another width, an unclosed quote, a byte that is not UTF-8 text, and a file without rows.
[[nodiscard]] std::vector<CsvRow> read_csv(const std::filesystem::path& path, std::span<const CsvColumn> columns);

}  // namespace steadyiqa::data
