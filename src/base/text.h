// Small text helpers: nearest names for error messages, CSV rows, quantities with a unit.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa {

/// The candidate with the smallest edit distance to `name` (case-insensitive), or "" when `candidates` is empty.
[[nodiscard]] std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// " (did you mean 'X'?)" when a candidate is near enough, else " (known: a, b, c)".
[[nodiscard]] std::string suggestion(std::string_view name, std::span<const std::string> candidates);

/// The number that the whole of `text` spells (surrounding blanks allowed), or nothing. "nan" and "inf" parse as such.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

/// One CSV record (RFC 4180 quotes; no line breaks inside fields). Throws Error(kInput) on an unclosed quote.
[[nodiscard]] std::vector<std::string> split_csv_line(std::string_view line);
/// A field quoted for CSV when it needs to be.
[[nodiscard]] std::string csv_field(std::string_view text);

/// A perturbation size with its unit, in pixel units of [0,1]: "4/255" or "0.005px".
/// Throws Error(kUsage) for a bare number (the unit is missing), anything else, or a value outside (0, 1].
[[nodiscard]] double parse_pixel_quantity(std::string_view text, std::string_view what);

[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string lower(std::string_view text);

}  // namespace steadyiqa
