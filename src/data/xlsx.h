// The first sheet of an Office Open XML workbook (.xlsx, ECMA-376) as text.
#pragma once

#include "data/table.h"

#include <filesystem>
#include <vector>

namespace steadyiqa::data {

/// The cells' values as text, formulas by their last result; rows without a value are left out, all others are as wide
/// as the widest. Throws Error(kInput) for anything that is no such workbook, is encrypted or damaged, for a file over
/// 8 MiB, parts that unpack to more than 24 MiB together, or a sheet of more than 100,000 rows, 64 columns or 64 MiB of
/// text. A document type declaration is refused: no entity is ever expanded but the five of XML itself.
[[nodiscard]] std::vector<TableRow> read_xlsx(const std::filesystem::path& path);

}  // namespace steadyiqa::data
