#include "evaluation/protocol.h"

#include "attacks/catalogue.h"
#include "attacks/problem.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "base/toml_file.h"
#include "evaluation/protocol_files.h"
#include "evaluation/result.h"

#include <algorithm>
#include <set>

namespace steadyiqa::evaluation {
namespace {

/// The named ones, with the digests that they had when they got their names.
const NamedProtocol kNamed[] = {
    {"nt-2024", kNt2024, "f8b0ad708b92b007b6e8fd6fabcbe962e5757c9b32f5c04955a57d202d0ad683"},
    {"robust-v1", kRobustV1, "b627990033723f9ad3b3f2dce5d0d8bddafa1b2695ba3fc78ba9e18ac00e44d6"},
    {"smoke", kSmoke, "7e7c18158a3e5e7a00f7764240ff7504ebe7df121e6f6b886d27fe3c08121849"},
};

void require_keys(const nlohmann::json& object, const std::vector<std::string>& known, const std::string& where) {
  if (!object.is_object()) {
    fail_usage("{}: expected a table", where);
  }
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) == known.end()) {
      fail_usage("{}: unknown key '{}'{}", where, key, suggestion(key, known));
    }
  }
}

/// The value as a list of texts; a text alone is a list of one.
std::vector<std::string> texts(const nlohmann::json& object, const std::string& key, const std::string& where) {
  if (!object.contains(key)) {
    return {};
  }
  std::vector<std::string> list;
  const auto& value = object.at(key);
  for (const auto& item : value.is_array() ? value : nlohmann::json::array({value})) {
    if (!item.is_string()) {
      fail_usage("{}: {} takes a list of texts", where, key);
    }
    list.push_back(item.get<std::string>());
  }
  return list;
}

std::vector<double> budgets(const nlohmann::json& object, const std::string& where, const std::string& key) {
  std::vector<double> list;
  for (const auto& text : texts(object, key, where)) {
    list.push_back(parse_pixel_quantity(text, where + " " + key));
  }
  return list;
}

bool is_asset(const nlohmann::json& value) { return value.is_string() && value.get<std::string>().starts_with("@"); }

/// All parameters of the attack, except that files that the user supplies stay as they are named.
nlohmann::json resolved_parameters(const attacks::AttackSpec& spec) {
  auto bare = spec;
  auto supplied = nlohmann::json::object();
  for (const auto& [key, value] : spec.parameters.items()) {
    if (is_asset(value)) {
      supplied[key] = value;
      bare.parameters.erase(key);
    }
  }
  auto parameters = supplied.empty() ? attacks::attack_parameters(bare) : bare.parameters;
  parameters.update(supplied);
  return parameters;
}

nlohmann::json attack_document(const attacks::AttackOptions& options) {
  auto json = options_to_json(options, attacks::attack_fields());
  json["attack"] = options.attack.name;
  json["parameters"] = resolved_parameters(options.attack);
  json["eps_px"] = options.epsilon;
  return json;
}

void finish(Protocol& p) {
  p.document = {{"name", p.name},
                {"about", p.about},
                {"unknowns", p.unknowns},
                {"preprocessing", p.preprocessing},
                {"bounds_px", p.bounds},
                {"masking", {{"images", p.masking_images}, {"eps_px", p.masking_epsilon}}},
                {"judged", fmt::format("{}, scores calibrated on the training set", kJudged)}};
  auto& list = p.document["attacks"] = nlohmann::json::array();
  std::set<std::string> assets;
  for (const auto& options : p.attacks) {
    list.push_back(attack_document(options));
    for (const auto& [key, value] : options.attack.parameters.items()) {
      if (is_asset(value)) {
        assets.insert(value.get<std::string>().substr(1));
      }
    }
  }
  p.assets.assign(assets.begin(), assets.end());
  p.digest = sha256_hex(p.document.dump());
}

/// One [[attack]] table: every budget in every direction.
void add_attacks(const nlohmann::json& table, const std::string& where, Protocol& protocol) {
  require_keys(table, {"attack", "eps", "direction", "unit", "seed", "adaptive", "eot-draws"}, where);
  const auto names = texts(table, "attack", where);
  const auto sizes = budgets(table, where, "eps");
  auto directions = texts(table, "direction", where);
  if (names.size() != 1 || sizes.empty()) {
    fail_usage("{}: needs one attack and its eps", where);
  }
  if (directions.empty()) {
    directions.emplace_back("mid");
  }
  attacks::AttackOptions base;
  base.attack = attacks::AttackSpec::parse(names.front());
  static_cast<void>(attacks::find_attack(base.attack.name));
  auto fields = table;
  for (const char* key : {"attack", "eps", "direction"}) {
    fields.erase(key);
  }
  options_from_json(base, attacks::attack_fields(), fields, where);
  for (const double epsilon : sizes) {
    for (const auto& direction : directions) {
      auto options = base;
      options_from_json(options, attacks::attack_fields(), {{"direction", direction}}, where);
      options.epsilon = epsilon;
      static_cast<void>(attacks::budget_levels(epsilon));
      protocol.attacks.push_back(std::move(options));
    }
  }
}

/// Sets fields of either policy. Throws Error(kUsage) that begins with `where`.
void set_preprocessing(image::InputPolicy& input, image::CropPolicy& crops, const nlohmann::json& table,
                       const std::string& where) {
  std::vector<std::string> of_crops;
  for (const auto& f : image::crop_policy_fields()) {
    of_crops.push_back(f.name);
  }
  auto known = of_crops;
  for (const auto& f : image::input_policy_fields()) {
    known.push_back(f.name);
  }
  require_keys(table, known, where);
  for (const auto& [key, value] : table.items()) {
    if (std::ranges::find(of_crops, key) != of_crops.end()) {
      options_from_json(crops, image::crop_policy_fields(), {{key, value}}, where);
    } else {
      options_from_json(input, image::input_policy_fields(), {{key, value}}, where);
    }
  }
}

}  // namespace

std::span<const NamedProtocol> named_protocols() { return kNamed; }

Protocol parse_protocol(const nlohmann::json& toml, const std::string& where) {
  require_keys(toml, {"name", "about", "unknowns", "bounds", "preprocessing", "masking", "attack"}, where);
  Protocol p;
  for (const auto& [key, member] : {std::pair{"name", &Protocol::name}, std::pair{"about", &Protocol::about}}) {
    if (const auto list = texts(toml, key, where); !list.empty()) {
      p.*member = list.front();
    }
  }
  if (p.name.empty()) {
    fail_usage("{}: a protocol needs a name", where);
  }
  p.unknowns = texts(toml, "unknowns", where);
  p.bounds = budgets(toml, where, "bounds");
  if (const auto table = toml.value("preprocessing", nlohmann::json::object()); !table.empty()) {
    image::InputPolicy input;
    image::CropPolicy crops;
    set_preprocessing(input, crops, table, where + " [preprocessing]");
    image::check(crops);
    p.preprocessing = table;
  }
  if (toml.contains("masking")) {
    const auto& table = toml.at("masking");
    require_keys(table, {"images", "eps"}, where + " [masking]");
    const auto eps = budgets(table, where + " [masking]", "eps");
    if (eps.size() != 1 || !table.contains("images") || !table.at("images").is_number_integer()) {
      fail_usage("{} [masking]: needs images and one eps", where);
    }
    p.masking_images = table.at("images").get<std::int64_t>();
    p.masking_epsilon = eps.front();
  }
  const auto attacks = toml.value("attack", nlohmann::json::array());
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    add_attacks(attacks.at(i), fmt::format("{} [[attack]] {}", where, i + 1), p);
  }
  finish(p);
  return p;
}

Protocol load_protocol(const std::string& name_or_file) {
  const auto& named = named_protocols();
  std::vector<std::string> names;
  for (const auto& candidate : named) {
    if (candidate.name == name_or_file) {
      auto protocol = parse_protocol(parse_toml(candidate.toml, name_or_file), name_or_file);
      STEADYIQA_ASSERT(protocol.digest == candidate.digest, "a named protocol is what it was when it got its name");
      return protocol;
    }
    names.emplace_back(candidate.name);
  }
  if (!name_or_file.ends_with(".toml")) {
    fail_usage("unknown protocol '{}'{}; there are {}, or a file that ends in .toml", name_or_file,
               suggestion(name_or_file, names), fmt::join(names, ", "));
  }
  auto protocol = parse_protocol(read_toml(name_or_file), name_or_file);
  for (const auto& candidate : named) {
    if (candidate.name == protocol.name && candidate.digest != protocol.digest) {
      fail_usage("{}: differs from the protocol '{}' whose name it bears; give it another name", name_or_file,
                 protocol.name);
    }
  }
  return protocol;
}

Protocol unnamed_protocol(const std::vector<attacks::AttackOptions>& attacks, std::int64_t masking_images) {
  Protocol protocol;
  protocol.attacks = attacks;
  protocol.masking_images = masking_images;
  protocol.masking_epsilon = attacks.empty() ? 0.0 : attacks.front().epsilon;
  finish(protocol);
  return protocol;
}

void supply_files(Protocol& protocol, const std::map<std::string, std::string>& files) {
  for (const auto& [name, path] : files) {
    if (std::ranges::find(protocol.assets, name) == protocol.assets.end()) {
      fail_usage("--file {}={}: the protocol takes {}", name, path,
                 protocol.assets.empty() ? "no file" : fmt::format("{}", fmt::join(protocol.assets, ", ")));
    }
  }
  for (auto& options : protocol.attacks) {
    for (auto& [key, value] : options.attack.parameters.items()) {
      if (!is_asset(value)) {
        continue;
      }
      const auto found = files.find(value.get<std::string>().substr(1));
      if (found == files.end()) {
        fail_usage("protocol '{}' needs a file for {}: --file {}=PATH", protocol.name, options.attack.name,
                   value.get<std::string>().substr(1));
      }
      value = found->second;
    }
  }
  for (const auto& options : protocol.attacks) {
    static_cast<void>(attacks::make_attack(options.attack));  // what is wrong with a file is said before any work
  }
}

void apply_preprocessing(const Protocol& protocol, models::Scorer& scorer) {
  auto options = scorer.options();
  set_preprocessing(options.input, options.crops, protocol.preprocessing, protocol.name);
  scorer.set_options(std::move(options));
}

}  // namespace steadyiqa::evaluation
