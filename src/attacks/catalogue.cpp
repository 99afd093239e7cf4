#include "attacks/catalogue.h"

#include "attacks/apgd.h"
#include "attacks/auto_attack.h"
#include "attacks/concealed.h"
#include "attacks/gradient_sign.h"
#include "attacks/korhonen.h"
#include "attacks/parsimonious.h"
#include "attacks/perceptual.h"
#include "attacks/random_search.h"
#include "attacks/score_boundary.h"
#include "attacks/set_level.h"
#include "attacks/stadv.h"
#include "attacks/transfer.h"
#include "attacks/uap_attack.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"

namespace steadyiqa::attacks {
namespace {

void append(std::vector<AttackInfo>& table, std::vector<AttackInfo> family) {
  for (auto& info : family) {
    table.push_back(std::move(info));
  }
}

const std::vector<AttackInfo>& table() {
  static const std::vector<AttackInfo> kTable = [] {
    std::vector<AttackInfo> infos;
    append(infos, gradient_sign_attacks());
    append(infos, apgd_attacks());
    append(infos, perceptual_attacks());
    append(infos, korhonen_attacks());
    append(infos, concealed_attacks());
    append(infos, stadv_attacks());
    append(infos, set_level_attacks());
    append(infos, random_search_attacks());
    append(infos, parsimonious_attacks());
    append(infos, score_boundary_attacks());
    append(infos, uap_attacks());
    append(infos, transfer_attacks());
    append(infos, auto_attacks());
    return infos;
  }();
  return kTable;
}

}  // namespace

std::string box_name(Box box) {
  switch (box) {
    case Box::kWhite:
      return "white";
    case Box::kBlack:
      return "black";
    case Box::kTransfer:
      return "transfer";
  }
  STEADYIQA_ASSERT(false, "every box has its case");
  return "";
}

AttackInfo with_file_digest(AttackInfo info, const std::string& parameter) {
  info.resolve = [parameter, resolve = std::move(info.resolve)](const nlohmann::json& parameters,
                                                                const std::string& where) {
    auto resolved = resolve(parameters, where);
    if (const auto file = resolved.at(parameter).get<std::string>(); !file.empty()) {
      resolved[parameter + "_sha256"] = sha256_file(file);
    }
    return resolved;
  };
  return info;
}

std::span<const AttackInfo> attack_catalogue() { return table(); }

const AttackInfo& find_attack(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& info : table()) {
    if (info.name == name) {
      return info;
    }
    names.push_back(info.name);
  }
  fail_usage("unknown attack '{}'{}", name, suggestion(name, names));
}

std::unique_ptr<Attack> make_attack(const AttackSpec& spec) {
  return find_attack(spec.name).make(spec.parameters, fmt::format("attack '{}'", spec.text()));
}

nlohmann::json attack_parameters(const AttackSpec& spec) {
  return find_attack(spec.name).resolve(spec.parameters, fmt::format("attack '{}'", spec.text()));
}

}  // namespace steadyiqa::attacks
