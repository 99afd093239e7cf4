#include "cli/common.h"
#include "cli/stored_plans.h"

#include "base/file.h"
#include "base/json_text.h"
#include "report/csv.h"
#include "report/masking_table.h"
#include "report/table.h"

#include <algorithm>
#include <iterator>

namespace steadyiqa::cli {
namespace {

using evaluation::ResultStore;
using evaluation::StoredPlan;

struct ResultsFlags {
  std::string store;
  std::vector<std::string> others;
  std::string protocol;
  std::string format = "csv";
  std::string out;
  bool json = false;
};

std::string plan_name(const StoredPlan& plan) { return plan.protocol.empty() ? "(flags)" : plan.protocol; }

int run_list(const ResultsFlags& flags) {
  auto store = open_store(flags.store);
  auto json = output_head("results list", {{"store", flags.store}});
  auto& rows = json["plans"] = nlohmann::json::array();
  std::string text;
  for (const auto& plan : store.plans()) {
    const auto evaluations = store.evaluations(plan);
    const auto& first = evaluations.front();
    const auto done = first.images.size();  // each evaluation has the images that all of them have
    rows.push_back({{"protocol", plan.protocol},
                    {"protocol_digest", plan.protocol_digest},
                    {"model", first.model_path},
                    {"model_sha256", first.model_sha256},
                    {"data", plan.data_name},
                    {"data_digest", plan.image_set},
                    {"attacks", plan.attacks.size()},
                    {"images", first.expected_images},
                    {"images_done", done}});
    text +=
        fmt::format("{} {}  {}  {}  {} attacks  {} of {} images\n", plan_name(plan), plan.protocol_digest.substr(0, 12),
                    first.model_path, plan.data_name, plan.attacks.size(), done, first.expected_images);
  }
  print(flags.json ? json_text(json) + "\n" : text);
  return 0;
}

std::vector<evaluation::Evaluation> evaluations_of(ResultStore& store, const std::vector<StoredPlan>& plans) {
  std::vector<evaluation::Evaluation> evaluations;
  for (const auto& plan : plans) {
    std::ranges::move(store.evaluations(plan), std::back_inserter(evaluations));
  }
  return evaluations;
}

int run_show(const ResultsFlags& flags) {
  auto store = open_store(flags.store);
  auto json = output_head("results show", {{"store", flags.store}, {"protocol", flags.protocol}});
  auto& rows = json["evaluations"] = nlohmann::json::array();
  std::string text;
  for (const auto& plans : tables_of(store, flags.protocol)) {
    const auto evaluations = evaluations_of(store, plans);
    for (const auto& e : evaluations) {
      rows.push_back(evaluation::to_json(e, /*images=*/false));
    }
    text += (text.empty() ? "" : "\n") + report::evaluation_table(evaluations);
    for (const auto& plan : plans) {
      for (const auto& report : store.masking(plan.key())) {
        json["masking"].push_back(evaluation::to_json(report));
        text += fmt::format("\n{}", report::masking_table(report));
      }
    }
  }
  print(flags.json ? json_text(json) + "\n" : text);
  return 0;
}

int run_export(const ResultsFlags& flags) {
  auto store = open_store(flags.store);
  std::string text;
  for (const auto& plans : tables_of(store, flags.protocol)) {
    const auto evaluations = evaluations_of(store, plans);
    if (flags.format == "csv") {
      const auto csv = report::images_csv(evaluations);
      text += text.empty() ? csv : csv.substr(csv.find('\n') + 1);
      continue;
    }
    for (const auto& e : evaluations) {
      text += json_text(evaluation::to_json(e, /*images=*/true)) + "\n";
    }
  }
  if (flags.out.empty()) {
    print(text);
  } else {
    write_file_atomic(flags.out, text);
  }
  return 0;
}

int run_merge(const ResultsFlags& flags) {
  ResultStore store(flags.store);
  for (const auto& other : flags.others) {
    store.merge(other);
  }
  return 0;
}

}  // namespace

std::vector<Command> add_results(CLI::App& app) {
  auto flags = std::make_shared<ResultsFlags>();
  auto* sub = app.add_subcommand("results", "look into, export and join stores of results (evaluate --store)");
  sub->require_subcommand(1);
  const auto verb = [&](const char* name, const char* help) {
    auto* command = sub->add_subcommand(name, help);
    command->add_option("STORE", flags->store, "SQLite file")->required();
    return command;
  };
  const auto choose = [&](CLI::App* command) {
    command->add_option("--protocol", flags->protocol, "only results of this protocol: name, or begin of its digest");
  };
  auto* list = verb("list", "protocols, models and sets, and how far they are");
  list->add_flag("--json", flags->json, "one JSON object");
  auto* show = verb("show", "the tables, computed from the rows");
  choose(show);
  show->add_flag("--json", flags->json, "every measure as one JSON object");
  auto* exported = verb("export", "a row for each attacked image (csv), or a JSON object for each attack");
  choose(exported);
  exported->add_option("--format", flags->format, "csv or json")->check(CLI::IsMember({"csv", "json"}));
  exported->add_option("--out", flags->out, "file in place of standard output");
  auto* merge = verb("merge", "add other stores' rows to STORE (made if need be); rows that contradict are an error");
  merge->add_option("OTHER", flags->others, "stores to add")->required();
  return {{list, [flags] { return run_list(*flags); }},
          {show, [flags] { return run_show(*flags); }},
          {exported, [flags] { return run_export(*flags); }},
          {merge, [flags] { return run_merge(*flags); }}};
}

}  // namespace steadyiqa::cli
