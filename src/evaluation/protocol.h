// Protocols: what is done to a model, fixed under a name, so that two numbers with one name are comparable.
#pragma once

#include "attacks/attack.h"
#include "models/scorer.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steadyiqa::evaluation {

/// An evaluation without models and data. Its file is TOML (docs/evaluation.md).
struct Protocol {
  std::string name;   ///< "" of flags alone: no name, no promise
  std::string about;  ///< in words
  std::vector<std::string> unknowns;
  nlohmann::json preprocessing =
      nlohmann::json::object();                 ///< fields of image::InputPolicy and image::CropPolicy that it fixes
  std::vector<attacks::AttackOptions> attacks;  ///< one for each attack, budget and direction, in order
  std::vector<double> bounds;                   ///< budgets at which the first-order bound is tried, [0,1] px
  std::int64_t masking_images = 0;              ///< examined for masked gradients; 0 = none
  double masking_epsilon = 0;
  std::vector<std::string> assets;  ///< files it leaves to its user ("@uap" in an attack's parameter), without the "@"

  /// Everything resolved, defaults included: what the digest is taken of.
  nlohmann::json document = nlohmann::json::object();
  std::string digest;  ///< SHA-256 of the document
};

/// A protocol that the program carries.
struct NamedProtocol {
  std::string_view name;
  std::string_view toml;
  std::string_view digest;  ///< frozen: a change of file or defaults that changes it needs a new name
};
[[nodiscard]] std::span<const NamedProtocol> named_protocols();

/// `name_or_file`: one of named_protocols(), or a path that ends in .toml. Throws Error(kUsage) for an unknown name
/// (with the nearest), an unknown key, or a file that bears one of our names with another content.
[[nodiscard]] Protocol load_protocol(const std::string& name_or_file);
/// `where` names the text in errors.
[[nodiscard]] Protocol parse_protocol(const nlohmann::json& toml, const std::string& where);
/// Of attacks given by flags, without a name; masked gradients are looked for on the first images at the first budget.
[[nodiscard]] Protocol unnamed_protocol(const std::vector<attacks::AttackOptions>& attacks,
                                        std::int64_t masking_images = 0);

/// Puts the user's files where attacks ask for them ("@uap" -> files["uap"]). Throws Error(kUsage) for one that is
/// missing or that nothing asks for.
void supply_files(Protocol& protocol, const std::map<std::string, std::string>& files);
/// Its preprocessing over the model's own.
void apply_preprocessing(const Protocol& protocol, models::Scorer& scorer);

}  // namespace steadyiqa::evaluation
