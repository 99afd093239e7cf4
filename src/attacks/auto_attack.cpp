#include "attacks/auto_attack.h"

#include <torch/torch.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::attacks {
namespace {

/// Runs its members one after the other and keeps, for each image, the proposal whose score is worst after 8-bit
/// rounding. It has no strength to choose: `quick` is for looking around, and says so in the result.
class Auto : public Attack {
 public:
  struct Options {
    bool quick = false;
    std::string source;  ///< model file; "" = none
    std::string uap;     ///< file of a universal perturbation; "" = none
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("quick", &Options::quick, {.help = "few steps and queries, for a first look; not for a reported number"}),
        field("source", &Options::source, {.help = "a model file that apgd is transferred from as a further member"}),
        field("uap", &Options::uap, {.help = "a universal perturbation (attack train uap) as a further member"})};
    return kFields;
  }
  explicit Auto(const Options& options) {
    // First what asks nothing of a limited victim.
    if (!options.uap.empty()) {
      add("uap", {{"file", options.uap}});
    }
    if (!options.source.empty()) {
      add(options.quick ? "transfer:steps=10" : "transfer:steps=100,restarts=3", {{"source", options.source}});
    }
    const auto specs = options.quick
                           ? std::vector<std::string>{"fgsm", "ifgsm:steps=5", "apgd:steps=10", "square:queries=40"}
                           : std::vector<std::string>{"fgsm", "ifgsm:steps=10", "mifgsm:steps=10",
                                                      "apgd:steps=100,restarts=3", "square:queries=1000"};
    for (const auto& spec : specs) {
      add(spec);
    }
    add(options.quick ? "nes:queries=40" : "nes:queries=1000");
  }
  [[nodiscard]] bool trained_on(const torch::Tensor& pixels) const override {
    return std::ranges::any_of(members_, [&](const Member& member) { return member.attack->trained_on(pixels); });
  }
  [[nodiscard]] std::vector<std::string> caveats(const std::string& victim_sha256) const override {
    std::vector<std::string> lines;
    for (const auto& member : members_) {
      for (auto& line : member.attack->caveats(victim_sha256)) {
        lines.push_back(std::move(line));
      }
    }
    return lines;
  }

 private:
  struct Member {
    std::unique_ptr<Attack> attack;
    std::string name;
    bool needs_gradient = false;
    /// nes would only estimate the gradient that apgd sees.
    [[nodiscard]] bool serves(const Problem& problem) const {
      return problem.white_box() ? name != "nes" : !needs_gradient;
    }
  };

  void add(const std::string& text, const nlohmann::json& parameters = nlohmann::json::object()) {
    auto spec = AttackSpec::parse(text);
    spec.parameters.update(parameters);
    members_.push_back({make_attack(spec), spec.name, find_attack(spec.name).box == Box::kWhite});
  }

  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    std::vector<const Attack*> usable;
    for (const auto& member : members_) {
      if (member.serves(problem)) {
        usable.push_back(member.attack.get());
      }
    }
    const auto comparisons = static_cast<std::int64_t>(usable.size());
    if (problem.calls_left() < comparisons) {
      return usable.front()->propose(problem);  // a limited victim has no question to spare
    }
    const auto limit = problem.calls() + problem.calls_left();
    torch::Tensor best;
    torch::Tensor best_values;
    for (std::int64_t i = 0; i < comparisons; ++i) {
      problem.limit_calls(limit - (comparisons - i));
      const auto proposal = usable[static_cast<std::size_t>(i)]->propose(problem);
      problem.limit_calls(limit);
      const auto values = problem.values(problem.round(proposal));
      if (!best.defined()) {
        best = proposal;
        best_values = values;
      }
      Problem::keep_better(best, best_values, proposal, values);
    }
    return best;
  }

  std::vector<Member> members_;
};

}  // namespace

std::vector<AttackInfo> auto_attacks() {
  auto info = attack_entry<Auto>(
      {.name = "auto",
       .help =
           "the worst of fgsm, ifgsm, mifgsm, apgd with restarts, square (of a black box: square and nes), and what "
           "transfers from a source or a uap that is given, for each image",
       .source = "after Croce, Hein 2020",
       .cost = "324 B + 1005 F (2002 F of a black box); 1 F more with a source, and with a uap"});
  return {with_file_digest(with_file_digest(std::move(info), "source"), "uap")};
}

}  // namespace steadyiqa::attacks
