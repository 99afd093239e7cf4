// What an examination for masked gradients found (masking.h makes it): plain numbers.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace steadyiqa::evaluation {

/// One thing that holds where gradients are not masked.
struct MaskingCheck {
  std::string name;
  double value = 0;     ///< what was measured
  double required = 0;  ///< at least that (at_least) or at most
  bool at_least = true;
  std::string meaning;  ///< of the value, with its unit
  [[nodiscard]] bool holds() const { return at_least ? value >= required : value <= required; }
};

struct MaskingReport {
  std::string model_path;
  std::int64_t images = 0;
  double epsilon = 0;
  std::string adaptive;  ///< how the white-box attacks treat the model's purification (adaptive_text)
  std::vector<MaskingCheck> checks;
  /// Every check holds: nothing found that speaks for masking. Not a proof.
  [[nodiscard]] bool is_clear() const;
};

[[nodiscard]] nlohmann::json to_json(const MaskingReport& report);
/// Reads it back. Throws nlohmann::json::exception for one that is broken.
[[nodiscard]] MaskingReport masking_report_from(const nlohmann::json& json);

}  // namespace steadyiqa::evaluation
