// What `evaluate` and `gate` share: models, data, and what is done to them, into a store.
#pragma once

#include "cli/common.h"
#include "evaluation/masking_report.h"
#include "evaluation/protocol.h"
#include "evaluation/result.h"

#include <map>
#include <string>
#include <vector>

namespace steadyiqa::cli {

/// --model, --data with --set and --limit, --protocol with --file, or --attack..., --masking; --store, --shard.
struct PlanFlags {
  std::vector<std::string> models;
  DataFlags data;
  std::string set = "test";
  std::int64_t limit = 0;
  std::string protocol_name;
  std::vector<std::string> files;
  std::int64_t masking = 0;
  AttackFlags attack;
  PreprocessingFlags preprocessing;
  std::string store;
  std::string shard = "1/1";
  RuntimeFlags runtime;

  void add(CLI::App& app, bool data_required);
  /// The protocol, a file of one, or the flags. Throws Error(kUsage) for a flag beside a protocol that would change it.
  [[nodiscard]] evaluation::Protocol protocol() const;
  /// Whether --shard leaves images out. Throws Error(kUsage) for one that cannot be read.
  [[nodiscard]] bool is_part() const;
  /// For the head of a JSON output.
  [[nodiscard]] nlohmann::json config(const evaluation::Protocol& protocol) const;

  struct Results {
    std::vector<evaluation::Evaluation> evaluations;
    std::vector<evaluation::MaskingReport> masking;
  };
  /// Does what the store lacks for every model and reads the results.
  [[nodiscard]] Results run(const evaluation::Protocol& protocol) const;

 private:
  [[nodiscard]] data::Dataset images() const;
};

}  // namespace steadyiqa::cli
