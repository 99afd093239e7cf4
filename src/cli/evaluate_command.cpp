#include "cli/common.h"

#include "base/file.h"
#include "checkpoint/model_file.h"
#include "data/split.h"
#include "evaluation/attack_pack.h"
#include "evaluation/evaluate.h"
#include "evaluation/masking.h"
#include "parallel/runtime.h"
#include "report/csv.h"
#include "report/frontier.h"
#include "report/masking_table.h"
#include "report/table.h"

namespace steadyiqa::cli {
namespace {

struct EvaluateFlags {
  DataFlags data;
  AttackFlags attack;
  PreprocessingFlags preprocessing;
  std::vector<std::string> models;
  std::vector<std::string> packs;
  std::string set = "test";
  std::string json_file;
  std::string csv_file;
  std::string plot_file;
  std::int64_t limit = 0;
  std::int64_t masking = 0;
  bool json = false;
  int threads = 0;
};

std::vector<evaluation::Evaluation> evaluate_data(const EvaluateFlags& flags,
                                                  const std::vector<attacks::AttackOptions>& attacks) {
  auto dataset = flags.data.open();
  if (flags.set != "all") {
    dataset = data::subset(dataset, flags.set);
  }
  if (flags.limit > 0 && static_cast<std::size_t>(flags.limit) < dataset.samples.size()) {
    dataset.samples.resize(static_cast<std::size_t>(flags.limit));
  }
  data::require_images(dataset);
  std::vector<evaluation::Evaluation> evaluations;
  for (const auto& path : flags.models) {
    auto model = checkpoint::load_model(path);
    flags.preprocessing.apply(model.scorer);
    for (auto& evaluation : evaluation::evaluate(model, path, dataset, attacks)) {
      evaluations.push_back(std::move(evaluation));
    }
  }
  return evaluations;
}

std::vector<evaluation::Evaluation> evaluate_packs(const EvaluateFlags& flags) {
  std::vector<evaluation::Evaluation> evaluations;
  for (const auto& path : flags.models) {
    auto model = checkpoint::load_model(path);
    flags.preprocessing.apply(model.scorer);
    for (const auto& pack : flags.packs) {
      evaluations.push_back(evaluation::evaluate_pack(model, path, evaluation::read_pack(pack)));
    }
  }
  return evaluations;
}

/// The first images of the set under each model, at the first budget.
std::vector<evaluation::MaskingReport> masking_reports(const EvaluateFlags& flags,
                                                       const std::vector<attacks::AttackOptions>& attacks) {
  std::vector<evaluation::MaskingReport> reports;
  if (flags.masking == 0) {
    return reports;
  }
  if (flags.data.spec.empty() || attacks.empty()) {
    fail_usage("--masking needs --data, and --attack with --eps for its budget");
  }
  auto dataset = flags.data.open();
  if (flags.set != "all") {
    dataset = data::subset(dataset, flags.set);
  }
  dataset.samples.resize(std::min(dataset.samples.size(), static_cast<std::size_t>(flags.masking)));
  data::require_images(dataset);
  for (const auto& path : flags.models) {
    auto model = checkpoint::load_model(path);
    flags.preprocessing.apply(model.scorer);
    reports.push_back(evaluation::masking_report(model, path, dataset, {.epsilon = attacks.front().epsilon}));
  }
  return reports;
}

int run_evaluate(const EvaluateFlags& flags) {
  const auto attacks = flags.attack.resolve();
  if (flags.data.spec.empty() == flags.packs.empty()) {
    fail_usage("evaluate takes --data or --pack, one of them");
  }
  parallel::configure_threads(flags.threads);
  const auto evaluations = flags.packs.empty() ? evaluate_data(flags, attacks) : evaluate_packs(flags);
  const auto masking = masking_reports(flags, attacks);
  nlohmann::json config = {{"data", flags.data.spec},   {"split", flags.data.split_file},      {"packs", flags.packs},
                           {"ratio", flags.data.ratio}, {"split_seed", flags.data.split_seed}, {"set", flags.set},
                           {"limit", flags.limit}};
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
    write_file_atomic(flags.json_file, json.dump(1) + "\n");
  }
  if (!flags.csv_file.empty()) {
    write_file_atomic(flags.csv_file, report::images_csv(evaluations));
  }
  if (!flags.plot_file.empty()) {
    image::write_png(flags.plot_file, report::frontier_picture(evaluations));
  }
  print(flags.json ? json.dump() + "\n" : report::evaluation_table(evaluations) + masking_text);
  return 0;
}

}  // namespace

Command add_evaluate(CLI::App& app) {
  auto flags = std::make_shared<EvaluateFlags>();
  auto* sub = app.add_subcommand("evaluate", "measure models on a rated set, clean and attacked");
  sub->add_option("--model", flags->models, "model file (repeatable; the first is what the others are compared with)")
      ->required();
  flags->data.add(*sub, /*required=*/false);
  sub->add_option("--pack", flags->packs,
                  "an attack pack in place of --data: its images under these models (repeatable)");
  sub->add_option("--set", flags->set, "which set of the split: train, val, test, or all")->capture_default_str();
  sub->add_option("--limit", flags->limit, "only the first so many images")->check(CLI::NonNegativeNumber);
  sub->add_option(
         "--masking", flags->masking,
         "look for masked gradients on the first so many images of the set (slow: hundreds of model calls each)")
      ->check(CLI::NonNegativeNumber);
  flags->attack.add(*sub);
  flags->preprocessing.add(*sub);
  sub->add_flag("--json", flags->json, "everything as one JSON object on stdout");
  sub->add_option("--json-file", flags->json_file, "write it to a file, too, with per-image rows");
  sub->add_option("--csv", flags->csv_file, "write per-image rows to a CSV file");
  sub->add_option("--plot", flags->plot_file, "PNG: clean SROCC against SROCC under the first attack, by lambda");
  sub->add_option("--threads", flags->threads, "threads of libtorch; 0 = physical cores")->check(CLI::Range(0, 1024));
  return {sub, [flags] { return run_evaluate(*flags); }};
}

}  // namespace steadyiqa::cli
