#include "base/toml_file.h"

#include "base/error.h"
#include "base/file.h"

#include <toml++/toml.h>

#include <algorithm>

namespace steadyiqa {
namespace {

constexpr std::uint64_t kMaxBytes = 1U << 20U;
// Dotted keys nest without limit and the parser frees its tree by recursion: a megabyte of "a.a.a" would exhaust the
// stack. Of the whole file, because keys add up from table to table; low enough for AddressSanitizer's stack frames.
constexpr std::ptrdiff_t kMaxDots = 2000;

nlohmann::json to_json(const toml::node& node, const std::string& file) {
  if (const auto* table = node.as_table()) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [key, value] : *table) {
      object[std::string(key.str())] = to_json(value, file);
    }
    return object;
  }
  if (const auto* array = node.as_array()) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& value : *array) {
      list.push_back(to_json(value, file));
    }
    return list;
  }
  if (const auto* text = node.as_string()) {
    return text->get();
  }
  if (const auto* integer = node.as_integer()) {
    return integer->get();
  }
  if (const auto* number = node.as_floating_point()) {
    return number->get();
  }
  if (const auto* boolean = node.as_boolean()) {
    return boolean->get();
  }
  fail_usage("{}:{}: dates and times are not used here", file, node.source().begin.line);
}

}  // namespace

nlohmann::json read_toml(const std::filesystem::path& path) {
  return parse_toml(read_text_file(path, kMaxBytes), path.string());
}

nlohmann::json parse_toml(std::string_view text, const std::string& file) {
  if (std::ranges::count(text, '.') > kMaxDots) {
    fail_usage("{}: more than {} dots: not a file of options", file, kMaxDots);
  }
  try {
    return to_json(toml::parse(text, file), file);
  } catch (const toml::parse_error& error) {
    fail_usage("{}:{}: {}", file, error.source().begin.line, error.description());
  }
}

}  // namespace steadyiqa
