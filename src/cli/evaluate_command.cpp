#include "cli/plan_flags.h"

#include "base/file.h"
#include "base/json_text.h"
#include "base/log.h"
#include "checkpoint/model_file.h"
#include "evaluation/attack_pack.h"
#include "evaluation/evaluate.h"
#include "report/csv.h"
#include "report/frontier.h"
#include "report/masking_table.h"
#include "report/table.h"

namespace steadyiqa::cli {
namespace {

struct EvaluateFlags {
  PlanFlags plan;
  std::vector<std::string> packs;
  std::string json_file;
  std::string csv_file;
  std::string plot_file;
  bool json = false;
};

std::vector<evaluation::Evaluation> evaluate_packs(const EvaluateFlags& flags) {
  std::vector<evaluation::Evaluation> evaluations;
  for (const auto& path : flags.plan.models) {
    auto model = checkpoint::load_model(path);
    flags.plan.preprocessing.apply(model.scorer);
    for (const auto& pack : flags.packs) {
      evaluations.push_back(evaluation::evaluate_pack(model, path, evaluation::read_pack(pack)));
    }
  }
  return evaluations;
}

int run_evaluate(const EvaluateFlags& flags) {
  if (flags.plan.data.spec.empty() == flags.packs.empty()) {
    fail_usage("evaluate takes --data or --pack, one of them");
  }
  const auto protocol = flags.plan.protocol();
  auto config = flags.plan.config(protocol);
  config["packs"] = flags.packs;
  PlanFlags::Results results;
  if (flags.packs.empty()) {
    results = flags.plan.run(protocol);
  } else {
    flags.plan.runtime.apply();
    results.evaluations = evaluate_packs(flags);
  }
  const auto& [evaluations, masking] = results;
  if (flags.plan.is_part()) {
    log_info("{}: shard {} is whole; steadyiqa results show {}", flags.plan.store, flags.plan.shard, flags.plan.store);
    return 0;
  }
  auto json = output_head("evaluate", config);
  auto& rows = json["evaluations"] = nlohmann::json::array();
  for (const auto& evaluation : evaluations) {
    rows.push_back(evaluation::to_json(evaluation, /*images=*/!flags.json_file.empty() || flags.json));
  }
  std::string masking_text;
  for (const auto& report : masking) {
    json["masking"].push_back(evaluation::to_json(report));
    masking_text += "\n" + report::masking_table(report);
  }
  if (!flags.json_file.empty()) {
    write_file_atomic(flags.json_file, json_text(json, 1) + "\n");
  }
  if (!flags.csv_file.empty()) {
    write_file_atomic(flags.csv_file, report::images_csv(evaluations));
  }
  if (!flags.plot_file.empty()) {
    image::write_png(flags.plot_file, report::frontier_picture(evaluations));
  }
  print(flags.json ? json_text(json) + "\n" : report::evaluation_table(evaluations) + masking_text);
  return 0;
}

}  // namespace

Command add_evaluate(CLI::App& app) {
  auto flags = std::make_shared<EvaluateFlags>();
  auto* sub = app.add_subcommand("evaluate", "measure models on a rated set, clean and attacked");
  flags->plan.add(*sub, /*data_required=*/false);
  sub->add_option("--pack", flags->packs,
                  "an attack pack in place of --data: its images under these models (repeatable)");
  sub->add_flag("--json", flags->json, "everything as one JSON object on stdout");
  sub->add_option("--json-file", flags->json_file, "write it to a file, too, with per-image rows");
  sub->add_option("--csv", flags->csv_file, "write per-image rows to a CSV file");
  sub->add_option("--plot", flags->plot_file, "PNG: clean SROCC against SROCC under the first attack, by lambda");
  return {sub, [flags] { return run_evaluate(*flags); }};
}

}  // namespace steadyiqa::cli
