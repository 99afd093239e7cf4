// Attacks with few steps, for tests of what holds for all of them.
#pragma once

#include "attacks/attack.h"

#include <map>
#include <string>

namespace steadyiqa::testing {

/// The attack with its defaults, or where these take long with smaller ones.
inline attacks::AttackSpec quick_spec(const std::string& name) {
  static const std::map<std::string, std::string> kQuick = {
      {"auto", "auto:quick=true"},
      {"apgd", "apgd:steps=20"},
      {"korhonen", "korhonen:min-steps=3,max-steps=6"},
      {"perceptual", "perceptual:steps=5,trials=2"},
  };
  const auto found = kQuick.find(name);
  return attacks::AttackSpec::parse(found == kQuick.end() ? name : found->second);
}

}  // namespace steadyiqa::testing
