#include "base/text.h"

#include "base/error.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace steadyiqa {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";
constexpr std::size_t kLongestName = 200;  // names are compared up to here: the cost is quadratic

/// Levenshtein distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::size_t name_distance(std::string_view a, std::string_view b) {
  return edit_distance(lower(a.substr(0, kLongestName)), lower(b.substr(0, kLongestName)));
}

}  // namespace

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_distance = std::string::npos;
  for (const auto& candidate : candidates) {
    const std::size_t distance = name_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string suggestion(std::string_view name, std::span<const std::string> candidates) {
  if (candidates.empty()) {
    return "";
  }
  const std::string best = nearest_name(name, candidates);
  if (name_distance(name, best) <= std::max<std::size_t>(1, best.size() / 3)) {
    return fmt::format(" (did you mean '{}'?)", best);
  }
  return fmt::format(" (known: {})", fmt::join(candidates, ", "));
}

std::optional<double> parse_number(std::string_view text) {
  text = trim(text);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') {
    text.remove_prefix(1);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::vector<std::string> split_csv_line(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) {
    line.remove_suffix(1);
  }
  std::vector<std::string> fields(1);
  std::size_t i = 0;
  while (i < line.size()) {
    if (line[i] == ',') {
      fields.emplace_back();
      ++i;
    } else if (line[i] == '"' && (i == 0 || line[i - 1] == ',')) {
      for (++i; i < line.size() && (line[i] != '"' || line.substr(i, 2) == "\"\""); ++i) {
        i += line[i] == '"' ? 1 : 0;
        fields.back() += line[i];
      }
      if (i >= line.size()) {
        fail_input("CSV field {}: unclosed quote", fields.size());
      }
      ++i;
      if (i < line.size() && line[i] != ',') {
        fail_input("CSV field {}: text after the closing quote", fields.size());
      }
    } else {
      fields.back() += line[i++];
    }
  }
  return fields;
}

std::string csv_field(std::string_view text) {
  const bool padded = !text.empty() && trim(text).size() != text.size();
  if (!padded && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\r' || c == '\n') {
      quoted += ' ';
    } else {
      quoted.append(c == '"' ? 2 : 1, c);
    }
  }
  return quoted + '"';
}

double parse_pixel_quantity(std::string_view text, std::string_view what) {
  const std::string_view body = trim(text);
  std::optional<double> value;
  if (const auto slash = body.find('/'); slash != std::string_view::npos) {
    const auto numerator = parse_number(body.substr(0, slash));
    const auto denominator = parse_number(body.substr(slash + 1));
    if (numerator && denominator && *denominator > 0) {
      value = *numerator / *denominator;
    }
  } else if (body.ends_with("px")) {
    value = parse_number(body.substr(0, body.size() - 2));
  } else if (parse_number(body)) {
    fail_usage("{}: '{}' has no unit: write it in pixel units of [0,1], as 4/255 or 0.005px", what, text);
  }
  if (!value) {
    fail_usage("{}: '{}' is not a size in pixel units of [0,1]: write it as 4/255 or 0.005px", what, text);
  }
  if (!(*value > 0 && *value <= 1)) {
    fail_usage("{}: '{}' is out of range: above 0 and at most 1 in pixel units of [0,1] (4/255, 0.005px)", what, text);
  }
  return *value;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

}  // namespace steadyiqa
