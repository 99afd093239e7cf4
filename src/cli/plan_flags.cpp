#include "cli/plan_flags.h"

#include "base/error.h"
#include "checkpoint/model_file.h"
#include "data/split.h"
#include "evaluation/evaluate.h"
#include "evaluation/result_store.h"
#include "evaluation/run.h"

#include <algorithm>
#include <iterator>

namespace steadyiqa::cli {

void PlanFlags::add(CLI::App& app, bool data_required) {
  app.add_option("--model", models, "model file (repeatable; the first is what the others are compared with)")
      ->required();
  data.add(app, data_required);
  app.add_option("--set", set, "which set of the split: train, val, test, or all")->capture_default_str();
  app.add_option("--limit", limit, "only the first so many images")->check(CLI::NonNegativeNumber);
  std::string names;
  for (const auto& named : evaluation::named_protocols()) {
    names += std::string(named.name) + ", ";
  }
  app.add_option("--protocol", protocol_name,
                 "attacks, budgets and preprocessing under a name: " + names + "or a .toml file")
      ->type_name("NAME");
  app.add_option("--file", files, "a file that the protocol leaves to its user: uap=PATH (repeatable)")
      ->type_name("NAME=PATH");
  app.add_option("--store", store,
                 "SQLite file that results go to as they are made, and from which a stopped run goes on");
  app.add_option("--shard", shard, "only every N-th image, from the i-th on")->type_name("i/N");
  app.add_option(
         "--masking", masking,
         "look for masked gradients on the first so many images of the set (slow: hundreds of model calls each)")
      ->check(CLI::NonNegativeNumber);
  attack.add(app);
  preprocessing.add(app);
  runtime.add(app);
}

evaluation::Protocol PlanFlags::protocol() const {
  const auto attacks = attack.resolve();
  if (protocol_name.empty()) {
    if (!files.empty()) {
      fail_usage("--file goes with --protocol");
    }
    if (masking != 0 && (data.spec.empty() || attacks.empty())) {
      fail_usage("--masking needs --data, and --attack with --eps for its budget");
    }
    return evaluation::unnamed_protocol(attacks, masking);
  }
  if (!attacks.empty() || masking != 0 || limit != 0 || preprocessing.given()) {
    fail_usage(
        "--protocol {} fixes attacks, budgets, preprocessing and images: no --attack, --masking, --limit or "
        "preprocessing flag beside it; a protocol of your own is a .toml file under another name",
        protocol_name);
  }
  std::map<std::string, std::string> paths;
  for (const auto& text : files) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) {
      fail_usage("--file {}: expected NAME=PATH", text);
    }
    paths[text.substr(0, equals)] = text.substr(equals + 1);
  }
  auto protocol = evaluation::load_protocol(protocol_name);
  evaluation::supply_files(protocol, paths);
  return protocol;
}

bool PlanFlags::is_part() const { return evaluation::Shard::parse(shard).count > 1; }

nlohmann::json PlanFlags::config(const evaluation::Protocol& protocol) const {
  return {{"data", data.spec},
          {"split", data.split_file},
          {"ratio", data.ratio},
          {"split_seed", data.split_seed},
          {"set", set},
          {"limit", limit},
          {"store", store},
          {"shard", shard},
          {"protocol", protocol.document},
          {"protocol_digest", protocol.digest}};
}

data::Dataset PlanFlags::images() const {
  auto dataset = data.open();
  if (set != "all") {
    dataset = data::subset(dataset, set);
  }
  if (limit > 0 && static_cast<std::size_t>(limit) < dataset.samples.size()) {
    dataset.samples.resize(static_cast<std::size_t>(limit));
  }
  data::require_images(dataset);
  return dataset;
}

PlanFlags::Results PlanFlags::run(const evaluation::Protocol& protocol) const {
  if (is_part() && store.empty()) {
    fail_usage("--shard needs --store: the shards' results are to meet there");
  }
  runtime.apply();
  const auto dataset = images();
  evaluation::ResultStore results_store(store);
  Results results;
  for (const auto& path : models) {
    auto model = checkpoint::load_model(path);
    preprocessing.apply(model.scorer);
    evaluation::apply_preprocessing(protocol, model.scorer);
    const auto plan =
        evaluation::fill(results_store, model, path, dataset, protocol,
                         {.shard = evaluation::Shard::parse(shard), .watch = {}, .pictures = !store.empty()});
    std::ranges::move(evaluation::collect(results_store, plan), std::back_inserter(results.evaluations));
    std::ranges::move(results_store.masking(plan.key()), std::back_inserter(results.masking));
  }
  return results;
}

}  // namespace steadyiqa::cli
