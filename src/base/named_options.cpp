#include "base/named_options.h"

#include "base/error.h"
#include "base/options.h"
#include "base/text.h"

namespace steadyiqa {

NamedOptions NamedOptions::parse(const std::string& text, std::string_view what) {
  NamedOptions options;
  const auto colon = text.find(':');
  options.name = text.substr(0, colon);
  if (colon == std::string::npos) {
    return options;
  }
  for (const auto& pair : split_csv_line(text.substr(colon + 1))) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos) {
      fail_usage("{} '{}': expected key=value, got '{}'", what, text, pair);
    }
    options.values[pair.substr(0, equals)] = detail::parse_flag_text(pair.substr(equals + 1));
  }
  return options;
}

std::string NamedOptions::text() const {
  std::string out = name;
  char separator = ':';
  for (const auto& [key, value] : values.items()) {
    const auto pair = fmt::format("{}={}", key, value.is_string() ? value.get<std::string>() : value.dump());
    out += fmt::format("{}{}", separator, csv_field(pair));
    separator = ',';
  }
  return out;
}

}  // namespace steadyiqa
