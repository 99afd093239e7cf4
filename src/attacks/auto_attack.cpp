#include "attacks/auto_attack.h"

#include <torch/torch.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::attacks {
namespace {

/// Runs its members one after the other, the cheap ones first, and keeps for each image the proposal whose score is
/// worst after 8-bit rounding. As in AutoAttack an image that is broken costs nothing more: one whose score is off the
/// scale, at 0 or 100 and beyond. It has no strength to choose: `quick` is for looking around, and says so in the
/// result.
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
    const std::string black_queries = options.quick ? "queries=40" : "queries=1000";
    // First what asks nothing of a limited victim.
    if (!options.uap.empty()) {
      add("uap", Use::kAlways, {{"file", options.uap}});
    }
    if (!options.source.empty()) {
      add(options.quick ? "transfer:steps=10" : "transfer:steps=100", Use::kAlways, {{"source", options.source}});
    }
    add("fgsm", Use::kGradient);
    if (options.quick) {
      add("apgd:steps=10,until-off-scale=true", Use::kGradient);
      add("square:queries=40", Use::kProbe);
    } else {
      add("pgd:steps=10", Use::kGradient);  // breaks at once what breaks easily, from a random start
      add("apgd:steps=100,until-off-scale=true", Use::kGradient);
      add("square:queries=100", Use::kProbe);
      add("apgd:steps=100,restarts=3,until-off-scale=true", Use::kInDoubt);
    }
    add("square:" + black_queries, Use::kQueries);
    add("nes:" + black_queries, Use::kQueries);
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
  enum class Use {
    kAlways,    ///< whatever the victim answers with
    kGradient,  ///< of a white box
    kProbe,     ///< of a white box: few queries, to see whether its gradient tells what there is to gain
    kInDoubt,   ///< of a white box for images whose gradient hides something
    kQueries    ///< of a black box, and of a white box as kInDoubt
  };
  struct Member {
    std::unique_ptr<Attack> attack;
    Use use = Use::kAlways;
  };

  void add(const std::string& text, Use use, const nlohmann::json& parameters = nlohmann::json::object()) {
    auto spec = AttackSpec::parse(text);
    spec.parameters.update(parameters);
    members_.push_back({make_attack(spec), use});
  }

  /// The strongest proposals so far, and what the members of each kind have come to.
  class Standing {
   public:
    explicit Standing(Problem& problem)
        : problem_(problem), clean_(problem.white_box() ? problem.values(problem.clean()) : torch::Tensor()) {}

    /// [N], true where the member is to try.
    [[nodiscard]] torch::Tensor open_to(const Member& member) const {
      if (!pixels_.defined()) {
        return torch::ones({problem_.size()}, torch::kBool);
      }
      const auto standing = ~problem_.off_scale(values_);
      const bool in_doubt = member.use == Use::kInDoubt || member.use == Use::kQueries;
      return in_doubt && problem_.white_box() ? standing & hides_something() : standing;
    }
    void consider(const Member& member, const torch::Tensor& proposal, const torch::Tensor& open) {
      const auto reached = problem_.values(problem_.round(proposal));
      const auto values = torch::where(open, reached, torch::full_like(reached, -kInfinity));
      if (!pixels_.defined()) {
        pixels_ = proposal;
        values_ = values;
        by_gradient_ = by_queries_ = torch::full_like(values, -kInfinity);
      } else {
        Problem::keep_better(pixels_, values_, proposal, values);
      }
      if (member.use == Use::kGradient) {
        by_gradient_ = torch::maximum(by_gradient_, values);
      } else if (member.use == Use::kProbe) {
        by_queries_ = torch::maximum(by_queries_, values);
      }
    }
    [[nodiscard]] const torch::Tensor& pixels() const { return pixels_; }

   private:
    /// Where few queries came to half of what the gradient came to, which should be worth thousands.
    [[nodiscard]] torch::Tensor hides_something() const { return by_queries_ - clean_ >= (by_gradient_ - clean_) / 2; }

    static constexpr double kInfinity = std::numeric_limits<double>::infinity();
    Problem& problem_;
    torch::Tensor clean_;   ///< values, of a white box
    torch::Tensor pixels_;  ///< undefined before the first member
    torch::Tensor values_, by_gradient_, by_queries_;
  };

  [[nodiscard]] std::vector<const Member*> members_for(const Problem& problem) const {
    std::vector<const Member*> members;
    for (const auto& member : members_) {
      if (problem.white_box() || member.use == Use::kAlways || member.use == Use::kQueries) {
        members.push_back(&member);
      }
    }
    return members;
  }

  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    const auto members = members_for(problem);
    auto comparisons = static_cast<std::int64_t>(members.size());
    if (problem.calls_left() < comparisons) {
      return members.front()->attack->propose(problem);  // a limited victim has no question to spare
    }
    const auto limit = problem.calls() + problem.calls_left();
    Standing standing(problem);
    for (const auto* member : members) {
      const auto open = standing.open_to(*member);
      if (open.any().item<bool>()) {
        problem.limit_calls(limit - comparisons);
        const auto proposal = member->attack->propose(problem);
        problem.limit_calls(limit);
        standing.consider(*member, proposal, open);
      }
      --comparisons;
    }
    return standing.pixels();
  }

  std::vector<Member> members_;
};

}  // namespace

std::vector<AttackInfo> auto_attacks() {
  auto info = attack_entry<Auto>(
      {.name = "auto",
       .help =
           "the worst of fgsm, pgd, apgd and square (of a black box: square, nes) and what transfers from a source or "
           "a uap that is given, for each image until its score is off the scale",
       .source = "after Croce, Hein 2020",
       .cost =
           "11 B + 4 F of an image that ten steps bring off the scale, 112 B + 106 F of one that stays; 303 B + 2003 F "
           "more where queries do half as well as gradients; 2002 F of a black box; 1 F more with a source, and with a "
           "uap"});
  return {with_file_digest(with_file_digest(std::move(info), "source"), "uap")};
}

}  // namespace steadyiqa::attacks
