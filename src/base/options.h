// Options: one plain struct per component and one field table (name, help, unit, range) that drives the command-line
// flag, the TOML key, --help, the JSON dump and the range check.
#pragma once

#include "base/error.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace steadyiqa {

/// What the table says of a field besides its name and type.
struct FieldInfo {
  std::string help;
  std::string unit{};  ///< "" when it has none
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// One field of options struct S. `set` takes JSON (from TOML, or from a flag's text through set_from_text) and throws
/// Error(kUsage) for a wrong type or a value out of range.
template <class S>
struct Field {
  std::string name;
  FieldInfo info;
  std::vector<std::string> choices{};  ///< for enums
  bool is_flag = false;                ///< a bool: the flag may stand without a value
  bool is_text = false;                ///< a string or an enum: a flag's text is the value as it stands
  std::function<nlohmann::json(const S&)> get;
  std::function<void(S&, const nlohmann::json&)> set;
};

template <class S>
using FieldTable = std::vector<Field<S>>;

namespace detail {

double number_in_range(const std::string& name, const FieldInfo& info, const nlohmann::json& value);
std::int64_t integer_in_range(const std::string& name, const FieldInfo& info, const nlohmann::json& value);
bool boolean_value(const std::string& name, const nlohmann::json& value);
std::string text_value(const std::string& name, const nlohmann::json& value);
std::size_t choice_index(const std::string& name, const std::vector<std::string>& choices, const nlohmann::json& value);
/// A flag's text as JSON: true/false, a number, or the text itself.
nlohmann::json parse_flag_text(std::string_view text);

}  // namespace detail

/// A field for a bool, integer, floating-point or std::string member.
template <class S, class T>
Field<S> field(const std::string& name, T S::*member, const FieldInfo& info) {
  Field<S> f;
  f.name = name;
  f.info = info;
  f.get = [member](const S& s) { return nlohmann::json(s.*member); };
  f.is_flag = std::is_same_v<T, bool>;
  f.is_text = std::is_same_v<T, std::string>;
  f.set = [member, name, info](S& s, const nlohmann::json& value) {
    if constexpr (std::is_same_v<T, bool>) {
      s.*member = detail::boolean_value(name, value);
    } else if constexpr (std::is_integral_v<T>) {
      const std::int64_t number = detail::integer_in_range(name, info, value);
      if (!std::in_range<T>(number)) {
        fail_usage("{} = {} does not fit its type", name, number);
      }
      s.*member = static_cast<T>(number);
    } else if constexpr (std::is_floating_point_v<T>) {
      const double number = detail::number_in_range(name, info, value);
      if (std::abs(number) > static_cast<double>(std::numeric_limits<T>::max())) {
        fail_usage("{} = {} does not fit its type", name, number);
      }
      s.*member = static_cast<T>(number);
    } else {
      s.*member = detail::text_value(name, value);
    }
  };
  return f;
}

/// A field for an enum class member whose values are 0, 1, ... in the order of `names`.
template <class S, class E>
requires std::is_enum_v<E> Field<S> field(const std::string& name, E S::*member, const std::vector<std::string>& names,
                                          const FieldInfo& info) {
  Field<S> f;
  f.name = name;
  f.info = info;
  f.choices = names;
  f.is_text = true;
  f.get = [member, names](const S& s) { return nlohmann::json(names.at(static_cast<std::size_t>(s.*member))); };
  f.set = [member, name, names](S& s, const nlohmann::json& value) {
    s.*member = static_cast<E>(detail::choice_index(name, names, value));
  };
  return f;
}

/// Sets a field from the text of a command-line flag. Throws Error(kUsage) like `set`.
template <class S>
void set_from_text(S& options, const Field<S>& f, std::string_view text) {
  f.set(options, f.is_text ? nlohmann::json(text) : detail::parse_flag_text(text));
}

template <class S>
nlohmann::json options_to_json(const S& options, const FieldTable<S>& table) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& f : table) {
    object[f.name] = f.get(options);
  }
  return object;
}

/// Sets every key of `object`. An unknown key throws Error(kUsage) that says where and names the nearest known key.
template <class S>
void options_from_json(S& options, const FieldTable<S>& table, const nlohmann::json& object, std::string_view where) {
  for (const auto& [key, value] : object.items()) {
    const Field<S>* found = nullptr;
    std::vector<std::string> known;
    for (const auto& f : table) {
      known.push_back(f.name);
      if (f.name == key) {
        found = &f;
      }
    }
    if (found == nullptr) {
      fail_usage("{}: unknown key '{}'{}", where, key, suggestion(key, known));
    }
    try {
      found->set(options, value);
    } catch (const Error& error) {
      fail_usage("{}: {}", where, error.what());
    }
  }
}

/// The same of an object that has every field: a missing one, which must not quietly take this version's default,
/// throws nlohmann::json::exception.
template <class S>
void all_options_from_json(S& options, const FieldTable<S>& table, const nlohmann::json& object,
                           std::string_view where) {
  for (const auto& f : table) {
    static_cast<void>(object.at(f.name));
  }
  options_from_json(options, table, object, where);
}

}  // namespace steadyiqa
