// The terminal tables' parts: text measured in code points, numbers as cells, and a grid of light box-drawing lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa::report {

/// Columns taken on a terminal, counted as UTF-8 code points.
[[nodiscard]] std::size_t text_width(std::string_view text);
/// One line of valid UTF-8 of at most `width` code points; a longer text ends in "…".
[[nodiscard]] std::string clip(std::string_view text, std::size_t width);
/// The text as lines of at most `width` code points, broken at blanks where there are some; each ends in a line break.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t width);

/// A number as a cell of at most 9 characters: "-" for NaN, never "-0.00".
[[nodiscard]] std::string number_cell(double value, int decimals);
/// A difference: always signed, except when it is zero as shown.
[[nodiscard]] std::string delta_cell(double difference, int decimals);

/// Columns under one title, between two vertical lines.
struct GridGroup {
  std::string title;
  std::vector<std::string> heads;
};

/// One cell per column; a row of a single cell in a wider grid is a section heading across all columns.
using GridRow = std::vector<std::string>;

/// The first column is aligned left and clipped so that no line is longer than `width`; the others are aligned right.
/// Cells beyond the first are to be short: they are never clipped.
[[nodiscard]] std::string render_grid(const std::vector<GridGroup>& groups, const std::vector<GridRow>& rows,
                                      std::size_t width);

}  // namespace steadyiqa::report
