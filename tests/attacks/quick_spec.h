// Attacks with few steps, for tests of what holds for all of them.
#pragma once

#include "attacks/catalogue.h"
#include "attacks/tiny_source.h"
#include "attacks/tiny_uap.h"

#include <map>
#include <string>

namespace steadyiqa::testing {

/// The attack with its defaults, or where these take long with smaller ones; with a file where it needs one.
inline attacks::AttackSpec quick_spec(const std::string& name) {
  static const std::map<std::string, std::string> kQuick = {
      {"auto", "auto:quick=true"},
      {"apgd", "apgd:steps=20"},
      {"korhonen", "korhonen:min-steps=3,max-steps=6"},
      {"korhonen-surrogate", "korhonen-surrogate:min-steps=3,max-steps=6"},
      {"perceptual", "perceptual:steps=5,trials=2"},
      {"transfer", "transfer:steps=10"},
  };
  const auto found = kQuick.find(name);
  auto spec = attacks::AttackSpec::parse(found == kQuick.end() ? name : found->second);
  if (name == "uap") {
    spec.parameters["file"] = tiny_uap().file();
  } else if (attacks::find_attack(name).box == attacks::Box::kTransfer) {
    spec.parameters["source"] = tiny_source();
  }
  return spec;
}

}  // namespace steadyiqa::testing
