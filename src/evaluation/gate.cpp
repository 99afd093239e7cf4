#include "evaluation/gate.h"

#include "base/error.h"

#include <cmath>

namespace steadyiqa::evaluation {
namespace {

constexpr double kSameBudget = 1e-9;

void require_complete(const Evaluation& e) {
  if (e.images.empty() || static_cast<std::int64_t>(e.images.size()) < e.expected_images) {
    fail_input("{}: {} of {} images are evaluated: no verdict", e.model_path, e.images.size(), e.expected_images);
  }
  if (!e.calibrated) {
    fail_usage("{}: not calibrated, so its scores have no points to limit", e.model_path);
  }
}

std::string attack_name(const AttackDescription& attack) {
  return fmt::format("{} at {}/255, {}", attack.name, attack.epsilon * 255.0, attack.direction);
}

}  // namespace

std::string GateCheck::text() const {
  return fmt::format("{}: {:.4g}, {} {:.4g}{}", name, value, at_least ? "at least" : "at most", limit,
                     holds() ? "" : " - FAILED");
}

std::vector<GateCheck> check_gate(std::span<const Evaluation> evaluations, const GateLimits& limits) {
  if (!limits.max_change && !limits.max_change_share && !limits.min_srocc && !limits.min_srocc_attacked) {
    fail_usage("gate: nothing is limited; give --max-change, --max-change-share, --min-srocc or --min-srocc-attacked");
  }
  std::vector<GateCheck> checks;
  bool at_budget = false;
  for (const auto& e : evaluations) {
    require_complete(e);
    if (&e == &evaluations.front() && limits.min_srocc) {
      checks.push_back({"clean SROCC to MOS", e.clean.srocc, *limits.min_srocc, true});
    }
    if (!e.attacked || (limits.epsilon > 0 && std::abs(e.attack->epsilon - limits.epsilon) > kSameBudget)) {
      continue;
    }
    at_budget = true;
    const auto name = attack_name(*e.attack);
    if (limits.max_change) {
      checks.push_back(
          {"mean change in points under " + name, e.attacked->change.mean_absolute, *limits.max_change, false});
    }
    if (limits.max_change_share) {
      checks.push_back({"mean change / clean spread under " + name, e.attacked->change.share_of_spread,
                        *limits.max_change_share, false});
    }
    if (limits.min_srocc_attacked) {
      checks.push_back({"SROCC to MOS under " + name, e.attacked->with_mos.srocc, *limits.min_srocc_attacked, true});
    }
  }
  if (!at_budget && (limits.max_change || limits.max_change_share || limits.min_srocc_attacked)) {
    fail_usage("gate: the protocol has no attack at {}/255", limits.epsilon * 255.0);
  }
  return checks;
}

}  // namespace steadyiqa::evaluation
