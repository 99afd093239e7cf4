#include "cli/plan_flags.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/text.h"
#include "evaluation/gate.h"
#include "report/junit.h"

#include <algorithm>

namespace steadyiqa::cli {
namespace {

struct GateFlags {
  PlanFlags plan;
  evaluation::GateLimits limits;
  std::string at;
  std::string junit_file;
  bool json = false;
};

int run_gate(GateFlags flags) {
  if (flags.plan.models.size() != 1) {
    fail_usage("gate judges one model");
  }
  if (flags.plan.is_part()) {
    fail_usage("gate needs every image: no --shard");
  }
  if (!flags.at.empty()) {
    flags.limits.epsilon = parse_pixel_quantity(flags.at, "--at");
  }
  const auto protocol = flags.plan.protocol();
  const auto results = flags.plan.run(protocol);
  const auto checks = evaluation::check_gate(results.evaluations, flags.limits);
  const auto failed = std::ranges::find_if(checks, [](const auto& check) { return !check.holds(); });
  const bool passed = failed == checks.end();
  const auto& first = results.evaluations.front();
  const auto name = protocol.name.empty() ? "flags" : protocol.name;
  auto json = output_head("gate", flags.plan.config(protocol));
  json["passed"] = passed;
  json["model"] = {{"path", first.model_path}, {"sha256", first.model_sha256}};
  for (const auto& check : checks) {
    json["checks"].push_back({{"name", check.name},
                              {"value", check.value},
                              {check.at_least ? "at_least" : "at_most", check.limit},
                              {"holds", check.holds()}});
  }
  if (!flags.junit_file.empty()) {
    write_file_atomic(flags.junit_file, report::junit_xml("gate " + name + " " + first.model_path, checks));
  }
  const auto why = passed ? fmt::format("all {} limits hold", checks.size()) : failed->text();
  print(flags.json ? json_text(json) + "\n"
                   : fmt::format("{}: {} ({}, {} images): {}\n", passed ? "PASS" : "FAIL", first.model_path, name,
                                 first.images.size(), why));
  return passed ? 0 : static_cast<int>(ErrorKind::kGate);
}

}  // namespace

Command add_gate(CLI::App& app) {
  auto flags = std::make_shared<GateFlags>();
  auto* sub = app.add_subcommand("gate", "let a model through, or not: exit status 0 or 3 and one line why");
  flags->plan.add(*sub, /*data_required=*/true);
  auto& limits = flags->limits;
  sub->add_option("--at", flags->at, "the budget that counts, with its unit; every one without it")->type_name("4/255");
  sub->add_option("--max-change", limits.max_change, "mean |score change| under any attack, points of 100");
  sub->add_option("--max-change-share", limits.max_change_share, "the same over the spread of clean scores");
  sub->add_option("--min-srocc", limits.min_srocc, "SROCC of clean scores to MOS");
  sub->add_option("--min-srocc-attacked", limits.min_srocc_attacked, "SROCC to MOS under any attack");
  sub->add_option("--junit", flags->junit_file, "write the verdict as JUnit XML");
  sub->add_flag("--json", flags->json, "the verdict as one JSON object");
  return {sub, [flags] { return run_gate(*flags); }};
}

}  // namespace steadyiqa::cli
