// A choice that has options of its own, as one text: "ifgsm:steps=20,step-size=0.01".
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace steadyiqa {

struct NamedOptions {
  std::string name;
  nlohmann::json values = nlohmann::json::object();  ///< as detail::parse_flag_text reads them (options.h)
  /// "NAME[:key=value,...]". Throws Error(kUsage) that begins with `what` and the text for a part that is no key=value.
  static NamedOptions parse(const std::string& text, std::string_view what);
  /// As parse reads it, keys in alphabetical order.
  [[nodiscard]] std::string text() const;
};

}  // namespace steadyiqa
