#include "attacks/transfer.h"

#include "attacks/korhonen.h"
#include "base/error.h"
#include "checkpoint/model_file.h"
#include "data/loader.h"

#include <torch/torch.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace steadyiqa::attacks {
namespace {

struct TransferOptions {
  std::string source;
  std::string attack = "apgd";
};

/// Which of the two a user sets: all, or with a given attack its source alone.
FieldTable<TransferOptions> transfer_fields(const std::string& given_attack) {
  FieldTable<TransferOptions> fields = {
      field("source", &TransferOptions::source, {.help = "model file whose gradient is followed; required"})};
  if (given_attack.empty()) {
    fields.push_back(field("attack", &TransferOptions::attack,
                           {.help = "white-box attack that is run on it; all further parameters are that attack's"}));
  }
  return fields;
}

/// What runs on which source.
struct TransferPlan {
  TransferOptions own;
  AttackSpec attack;
};

/// Throws Error(kUsage) that begins with `where`.
TransferPlan plan_from(const nlohmann::json& parameters, const std::string& where, const std::string& given_attack) {
  TransferPlan plan;
  const auto fields = transfer_fields(given_attack);
  auto own = nlohmann::json::object();
  for (const auto& [key, value] : parameters.items()) {
    const bool is_own = std::ranges::any_of(fields, [&, name = key](const auto& f) { return f.name == name; });
    (is_own ? own : plan.attack.parameters)[key] = value;
  }
  options_from_json(plan.own, fields, own, where);
  if (plan.own.source.empty()) {
    fail_usage("{}: needs source=FILE, the model that it is made on", where);
  }
  plan.attack.name = given_attack.empty() ? plan.own.attack : given_attack;
  const auto& info = find_attack(plan.attack.name);
  if (info.box != Box::kWhite || info.targets) {
    fail_usage("{}: attack '{}' is no white-box attack on single images", where, info.name);
  }
  return plan;
}

checkpoint::LoadedModel load_source(const std::string& path) {
  auto model = checkpoint::load_model(path);
  if (!model.scorer.options().scale.calibrated) {
    fail_input(
        "{}: not calibrated, so it does not say which way its score goes: finish its training, or convert it "
        "with its --labels",
        path);
  }
  std::ranges::sort(model.provenance.training_images);
  return model;
}

/// " of NAME" where the file names its training set.
std::string of_data_set(const nlohmann::json& training) {
  const bool named = training.is_object() && training.contains("data") && training.at("data").is_string();
  return named ? fmt::format(" of {}", training.at("data").get<std::string>()) : "";
}

/// The source's network is in eval mode while it is asked, and then as it was.
class Transfer : public Attack {
 public:
  Transfer(const TransferPlan& plan, const std::string& where)
      : path_(plan.own.source),
        attack_(find_attack(plan.attack.name).make(plan.attack.parameters, where)),
        source_(load_source(plan.own.source)) {}

  [[nodiscard]] bool trained_on(const torch::Tensor& pixels) const override {
    const auto& images = source_.provenance.training_images;
    return !images.empty() && std::ranges::binary_search(images, data::pixel_digest(pixels));
  }
  [[nodiscard]] std::vector<std::string> caveats(const std::string& victim_sha256) const override {
    std::vector<std::string> lines;
    if (source_.sha256 == victim_sha256) {
      lines.push_back(fmt::format("{} is the victim itself: this is a white-box attack", path_));
    }
    if (source_.provenance.training_images.empty()) {
      lines.push_back(
          fmt::format("{} does not say on which images{} it was trained: that the attacked ones are among them cannot "
                      "be excluded",
                      path_, of_data_set(source_.provenance.training)));
    }
    return lines;
  }

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    ScorerVictim victim(source_.scorer);
    auto on_source = problem.on(victim);
    return attack_->propose(on_source);
  }

  std::string path_;
  std::unique_ptr<Attack> attack_;
  checkpoint::LoadedModel source_;
};

/// `given_attack`: the one that it always runs; "" = the parameter `attack` says.
AttackInfo transfer_entry(AttackInfo info, const std::string& given_attack = "") {
  for (const auto& f : transfer_fields(given_attack)) {
    info.parameters.push_back({f.name, f.info.help, f.get(TransferOptions{})});
  }
  info.box = Box::kTransfer;
  info.make = [given_attack](const nlohmann::json& parameters, const std::string& where) -> std::unique_ptr<Attack> {
    return std::make_unique<Transfer>(plan_from(parameters, where, given_attack), where);
  };
  info.resolve = [given_attack](const nlohmann::json& parameters, const std::string& where) {
    const auto plan = plan_from(parameters, where, given_attack);
    auto resolved = find_attack(plan.attack.name).resolve(plan.attack.parameters, where);
    resolved.update(options_to_json(plan.own, transfer_fields(given_attack)));
    return resolved;
  };
  return with_file_digest(std::move(info), "source");
}

}  // namespace

std::vector<AttackInfo> transfer_attacks() {
  const auto korhonen = korhonen_attacks().front();
  auto surrogate = transfer_entry({.name = "korhonen-surrogate",
                                   .help = "korhonen on a surrogate of the victim (model 'korhonen', or any other)",
                                   .source = korhonen.source,
                                   .cost = "0; of the source max-steps B at most",
                                   .searches = korhonen.searches},
                                  korhonen.name);
  surrogate.parameters.insert(surrogate.parameters.end(), korhonen.parameters.begin(), korhonen.parameters.end());
  return {transfer_entry({.name = "transfer",
                          .help = "a white-box attack on another model, shown to the victim",
                          .source = "Papernot, McDaniel, Goodfellow 2016 (of labels)",
                          .cost = "0; of the source what its attack costs"}),
          std::move(surrogate)};
}

}  // namespace steadyiqa::attacks
