#include "report/grid.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace steadyiqa::report {
namespace {

bool starts_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

/// Bytes of the first `count` code points.
std::size_t bytes_of(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (starts_code_point(text[at]) && count-- == 0) {
      break;
    }
    ++at;
  }
  return at;
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) {
    out += text;
  }
  return out;
}

std::string pad_left(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, text_width(text)), ' ') + text;
}
std::string pad_right(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, text_width(text)), ' ');
}

/// Column widths and the lines made of them.
class Layout {
 public:
  Layout(const std::vector<GridGroup>& groups, const std::vector<GridRow>& rows, std::size_t width) : groups_(groups) {
    for (const auto& group : groups) {
      for (const auto& head : group.heads) {
        widths_.push_back(text_width(head));
      }
    }
    for (const auto& row : rows) {
      STEADYIQA_ASSERT(row.size() == 1 || row.size() == widths_.size(), "a cell for each column");
      for (std::size_t i = 0; row.size() > 1 && i < row.size(); ++i) {
        widths_[i] = std::max(widths_[i], text_width(row[i]));
      }
    }
    std::size_t column = 0;
    for (const auto& group : groups) {
      column += group.heads.size();
      const std::size_t title = text_width(group.title);
      const std::size_t inside = group_width(column - group.heads.size(), group.heads.size());
      widths_[column - 1] += title > inside ? title - inside : 0;
    }
    const std::size_t excess = total() > width ? total() - width : 0;
    widths_[0] = std::max<std::size_t>(widths_[0] - std::min(excess, widths_[0]), 1);
  }

  /// A horizontal line; `above` and `below` say whether vertical lines leave it there.
  [[nodiscard]] std::string rule(bool above, bool below) const {
    const char* junction = above && below ? "┼" : above ? "┴" : below ? "┬" : "─";
    std::string line;
    std::size_t column = 0;
    for (const auto& group : groups_) {
      line += column == 0 ? "" : junction;
      line += repeat("─", group_width(column, group.heads.size()) + 2);
      column += group.heads.size();
    }
    return line;
  }
  [[nodiscard]] std::string titles() const {
    std::string line = "│";
    std::size_t column = 0;
    for (const auto& group : groups_) {
      line += fmt::format(" {} │", pad_right(group.title, group_width(column, group.heads.size())));
      column += group.heads.size();
    }
    return line + "\n";
  }
  [[nodiscard]] std::string cells(const GridRow& row) const {
    std::string line = "│";
    std::size_t column = 0;
    for (const auto& group : groups_) {
      for (std::size_t i = 0; i < group.heads.size(); ++i, ++column) {
        line += i == 0 ? " " : "  ";
        line += column == 0 ? pad_right(clip(row[0], widths_[0]), widths_[0]) : pad_left(row[column], widths_[column]);
      }
      line += " │";
    }
    return line + "\n";
  }
  [[nodiscard]] std::string section(const std::string& text) const {
    return fmt::format("│ {} │\n", pad_right(clip(text, total() - 4), total() - 4));
  }

 private:
  [[nodiscard]] std::size_t group_width(std::size_t first, std::size_t count) const {
    const auto begin = widths_.begin() + static_cast<std::ptrdiff_t>(first);
    return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(count), 2 * (count - 1));
  }
  [[nodiscard]] std::size_t total() const {
    std::size_t sum = 1;
    std::size_t column = 0;
    for (const auto& group : groups_) {
      sum += group_width(column, group.heads.size()) + 3;
      column += group.heads.size();
    }
    return sum;
  }
  const std::vector<GridGroup>& groups_;
  std::vector<std::size_t> widths_;
};

}  // namespace

std::size_t text_width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_code_point));
}

std::string clip(std::string_view text, std::size_t width) {
  const std::string line = one_line(text);
  if (text_width(line) <= width) {
    return line;
  }
  return width == 0 ? "" : line.substr(0, bytes_of(line, width - 1)) + "…";
}

std::string wrap(std::string_view text, std::size_t width) {
  const std::string line = one_line(text);
  std::string_view rest = line;
  std::string out;
  while (text_width(rest) > width) {
    std::size_t length = bytes_of(rest, width);
    const std::size_t blank = rest.substr(0, length + 1).rfind(' ');
    const bool at_blank = blank != std::string_view::npos && blank > 0;
    length = at_blank ? blank : length;
    out += std::string(rest.substr(0, length)) + "\n";
    rest.remove_prefix(length + (at_blank ? 1 : 0));
  }
  return out + std::string(rest) + "\n";
}

std::string number_cell(double value, int decimals) {
  if (std::isnan(value)) {
    return "-";
  }
  if (std::isfinite(value) && std::abs(value) >= 99999.0) {
    return fmt::format("{:.1e}", value);
  }
  std::string text = fmt::format("{:.{}f}", value, decimals);
  const bool zero = text.find_first_not_of("-0.") == std::string::npos;
  return zero && text.front() == '-' ? text.substr(1) : text;
}

std::string delta_cell(double difference, int decimals) {
  const std::string text = number_cell(difference, decimals);
  const bool zero = text.find_first_not_of("0.") == std::string::npos;
  return zero || text.front() == '-' ? text : "+" + text;
}

std::string render_grid(const std::vector<GridGroup>& groups, const std::vector<GridRow>& rows, std::size_t width) {
  const Layout layout(groups, rows, width);
  GridRow heads;
  bool titled = false;
  for (const auto& group : groups) {
    heads.insert(heads.end(), group.heads.begin(), group.heads.end());
    titled = titled || !group.title.empty();
  }
  std::string out = fmt::format("┌{}┐\n", layout.rule(false, true));
  out += titled ? layout.titles() : "";
  out += layout.cells(heads);
  bool above = true;  // whether the line before has vertical lines
  bool first = true;
  for (const auto& row : rows) {
    const bool section = row.size() == 1 && heads.size() > 1;
    if (first || section || !above) {
      out += fmt::format("├{}┤\n", layout.rule(above, !section));
    }
    out += section ? layout.section(row[0]) : layout.cells(row);
    above = !section;
    first = false;
  }
  return out + fmt::format("└{}┘\n", layout.rule(above, false));
}

}  // namespace steadyiqa::report
