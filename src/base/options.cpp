#include "base/options.h"

#include "base/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace steadyiqa::detail {
namespace {

/// "between 0 and 1 (pixel units)", with the ends that there are.
std::string range_text(const FieldInfo& info) {
  const bool has_min = std::isfinite(info.min);
  const bool has_max = std::isfinite(info.max);
  std::string range = "a finite number";
  if (has_min && has_max) {
    range = fmt::format("between {} and {}", info.min, info.max);
  } else if (has_min) {
    range = fmt::format("at least {}", info.min);
  } else if (has_max) {
    range = fmt::format("at most {}", info.max);
  }
  return info.unit.empty() ? range : fmt::format("{} ({})", range, info.unit);
}

/// The value as it appears in a message.
std::string shown(const nlohmann::json& value) {
  constexpr std::size_t kLongest = 80;
  if (value.is_number_float()) {
    return fmt::format("{}", value.get<double>());
  }
  std::string text = json_text(value);
  if (text.size() > kLongest) {
    text = text.substr(0, kLongest) + "...";
  }
  return text;
}

[[noreturn]] void fail_type(const std::string& name, std::string_view wanted, const nlohmann::json& value) {
  fail_usage("{} = {} must be {}", name, shown(value), wanted);
}

std::string number_wanted(std::string_view what, const FieldInfo& info) {
  return info.unit.empty() ? std::string(what) : fmt::format("{} ({})", what, info.unit);
}

[[noreturn]] void fail_range(const std::string& name, const FieldInfo& info, const nlohmann::json& value) {
  fail_usage("{} = {} is out of range: must be {}", name, shown(value), range_text(info));
}

}  // namespace

double number_in_range(const std::string& name, const FieldInfo& info, const nlohmann::json& value) {
  if (!value.is_number()) {
    fail_type(name, number_wanted("a number", info), value);
  }
  const double number = value.get<double>();
  // Negated so that NaN is refused; infinity is, whatever the range: no option means it and JSON cannot spell it.
  if (!(number >= info.min && number <= info.max) || !std::isfinite(number)) {
    fail_range(name, info, value);
  }
  return number;
}

std::int64_t integer_in_range(const std::string& name, const FieldInfo& info, const nlohmann::json& value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53: every integer up to here is a double
  std::int64_t number = 0;
  if (value.is_number_unsigned()) {
    const auto large = value.get<std::uint64_t>();
    if (!std::in_range<std::int64_t>(large)) {
      fail_range(name, info, value);
    }
    number = static_cast<std::int64_t>(large);
  } else if (value.is_number_integer()) {
    number = value.get<std::int64_t>();
  } else if (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>()) {
    if (std::abs(value.get<double>()) > kExact) {
      fail_range(name, info, value);
    }
    number = static_cast<std::int64_t>(value.get<double>());  // "1e5" and 10.0 mean integers
  } else {
    fail_type(name, number_wanted("an integer", info), value);
  }
  if (static_cast<double>(number) < info.min || static_cast<double>(number) > info.max) {
    fail_range(name, info, value);
  }
  return number;
}

bool boolean_value(const std::string& name, const nlohmann::json& value) {
  if (!value.is_boolean()) {
    fail_type(name, "true or false", value);
  }
  return value.get<bool>();
}

std::string text_value(const std::string& name, const nlohmann::json& value) {
  if (!value.is_string()) {
    fail_type(name, "text", value);
  }
  auto text = value.get<std::string>();
  if (!is_utf8(text)) {  // a path, say, that no recipe can hold
    fail_type(name, "UTF-8 text", value);
  }
  return text;
}

std::size_t choice_index(const std::string& name, const std::vector<std::string>& choices,
                         const nlohmann::json& value) {
  if (!value.is_string()) {
    fail_type(name, fmt::format("one of {}", fmt::join(choices, ", ")), value);
  }
  const auto text = value.get<std::string>();
  const auto found = std::ranges::find(choices, text);
  if (found == choices.end()) {
    fail_usage("{} = {} must be one of {}{}", name, shown(value), fmt::join(choices, ", "),
               suggestion(text, choices).starts_with(" (did") ? suggestion(text, choices) : "");
  }
  return static_cast<std::size_t>(found - choices.begin());
}

nlohmann::json parse_flag_text(std::string_view text) {
  if (text == "true" || text == "false") {
    return text == "true";
  }
  std::int64_t integer = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (!text.empty() && error == std::errc() && end == text.data() + text.size()) {
    return integer;
  }
  if (const auto number = parse_number(text)) {
    return *number;
  }
  return std::string(text);
}

}  // namespace steadyiqa::detail
