#include "attacks/auto_attack.h"

#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

/// Runs its members one after the other and keeps, for each image, the proposal whose score is worst after 8-bit
/// rounding. It has no strength to choose: `quick` is for looking around, and says so in the result.
class Auto : public Attack {
 public:
  struct Options {
    bool quick = false;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {field(
        "quick", &Options::quick, {.help = "few steps and queries, for a first look; not for a reported number"})};
    return kFields;
  }
  explicit Auto(Options options) : options_(options) {}

 private:
  [[nodiscard]] std::vector<std::string> members(bool white_box) const {
    std::vector<std::string> specs;
    if (white_box) {
      specs = options_.quick
                  ? std::vector<std::string>{"fgsm", "ifgsm:steps=5", "apgd:steps=10"}
                  : std::vector<std::string>{"fgsm", "ifgsm:steps=10", "mifgsm:steps=10", "apgd:steps=100,restarts=3"};
    }
    specs.emplace_back(options_.quick ? "square:queries=40" : "square:queries=1000");
    return specs;
  }

  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    torch::Tensor best;
    torch::Tensor best_values;
    const auto specs = members(problem.white_box());
    for (const auto& spec : specs) {
      const auto proposal = make_attack(AttackSpec::parse(spec))->propose(problem);
      if (specs.size() == 1) {
        return proposal;  // nothing to compare it with, and a limited victim has no question to spare
      }
      const auto values = problem.values(problem.round(proposal));
      if (!best.defined()) {
        best = proposal;
        best_values = values;
      }
      Problem::keep_better(best, best_values, proposal, values);
    }
    return best;
  }
  Options options_;
};

}  // namespace

std::vector<AttackInfo> auto_attacks() {
  return {attack_entry<Auto>({.name = "auto",
                              .help = "the worst of fgsm, ifgsm, mifgsm, apgd with restarts and square, for each image",
                              .source = "after Croce, Hein 2020",
                              .cost = "324 B + 1005 F (1001 F of a black box)"})};
}

}  // namespace steadyiqa::attacks
