// The attacks there are, as an explicit list.
#pragma once

#include "attacks/attack.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::attacks {

/// What an attack asks of its victim.
enum class Box {
  kWhite,    ///< its gradient
  kBlack,    ///< scores only
  kTransfer  ///< nothing while it makes the perturbation: that comes from other models
};
[[nodiscard]] std::string box_name(Box box);

/// One of an attack's own parameters, as --attack NAME:key=value sets it.
struct AttackParameter {
  std::string name;
  std::string help;
  nlohmann::json value;  ///< default
};

struct AttackInfo {
  std::string name;
  std::string help;
  std::string source;
  Box box = Box::kWhite;
  std::string
      cost;  ///< model calls for each image and direction, judging not counted: F forward, B forward and backward
  bool searches =
      true;  ///< strives for the largest change within the l-infinity budget (else for another aim, cut to it)
  std::vector<AttackParameter> parameters{};
  /// Of an attack on a set: the calibrated score that each image is to reach, from those of all (the attack then runs
  /// with AttackOptions::target). Empty for an attack on single images.
  std::function<std::vector<double>(std::span<const double> scores, const nlohmann::json& parameters,
                                    std::uint64_t seed)>
      targets{};
  /// Throws Error(kUsage) that begins with `where` for a parameter that is unknown or out of range.
  std::function<std::unique_ptr<Attack>(const nlohmann::json& parameters, const std::string& where)> make{};
  /// All its parameters, the given ones in place of defaults. Throws as `make`.
  std::function<nlohmann::json(const nlohmann::json& parameters, const std::string& where)> resolve{};
};

/// Attack A is made from its A::Options, whose table is A::fields().
template <class A>
AttackInfo attack_entry(AttackInfo info) {
  for (const auto& f : A::fields()) {
    info.parameters.push_back({f.name, f.info.help, f.get(typename A::Options{})});
  }
  info.make = [](const nlohmann::json& parameters, const std::string& where) -> std::unique_ptr<Attack> {
    typename A::Options options;
    options_from_json(options, A::fields(), parameters, where);
    return std::make_unique<A>(std::move(options));
  };
  info.resolve = [](const nlohmann::json& parameters, const std::string& where) {
    typename A::Options options;
    options_from_json(options, A::fields(), parameters, where);
    return options_to_json(options, A::fields());
  };
  return info;
}

/// The entry whose resolved parameters also tell the SHA-256 of the file that `parameter` names (where it names one),
/// so that a result says which file it was.
[[nodiscard]] AttackInfo with_file_digest(AttackInfo info, const std::string& parameter);

[[nodiscard]] std::span<const AttackInfo> attack_catalogue();
/// Throws Error(kUsage) for an unknown name, with the nearest.
[[nodiscard]] const AttackInfo& find_attack(const std::string& name);
/// Throws Error(kUsage) for an unknown name or parameter.
[[nodiscard]] std::unique_ptr<Attack> make_attack(const AttackSpec& spec);
/// All parameters of the attack, resolved. Throws as make_attack.
[[nodiscard]] nlohmann::json attack_parameters(const AttackSpec& spec);

}  // namespace steadyiqa::attacks
