// What the sub-commands share: flags from field tables, data and split options, output.
#pragma once

#include "attacks/attack.h"
#include "base/file.h"
#include "base/options.h"
#include "base/version.h"
#include "data/dataset.h"
#include "evaluation/result.h"
#include "models/scorer.h"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::cli {

inline constexpr const char* kPrecisionHelp =
    "of the trunk's convolutions: float32, or bfloat16 (faster where the processor has it; docs/performance.md says "
    "how "
    "far scores move)";

/// A sub-command: declared on the app, run after parsing. Returns the exit code.
struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;
};

/// Adds one flag per field of the table, as "--PREFIXname" plus the aliases given for it. Values are set when `apply`
/// is called, so that a recipe file can be read first.
class TableFlags {
 public:
  struct Alias {
    std::string field;
    std::string flags;  ///< further spellings, comma-separated: "--lambda"
  };
  template <class S>
  void add(CLI::App& app, const std::string& prefix, const FieldTable<S>& table, const std::string& group,
           const std::vector<Alias>& aliases = {}) {
    for (const auto& f : table) {
      auto flags = "--" + prefix + f.name;
      for (const auto& alias : aliases) {
        if (alias.field == f.name) {
          flags = alias.flags + "," + flags;
        }
      }
      app.add_option_function<std::string>(
             flags, [this, key = prefix + f.name](const std::string& text) { texts_.emplace_back(key, text); },
             describe(f.info, f.choices))
          ->type_name(f.choices.empty() ? "VALUE" : "CHOICE")
          ->group(group);
    }
  }
  /// Sets what was given for this prefix and table.
  template <class S>
  void apply(const std::string& prefix, S& options, const FieldTable<S>& table) const {
    for (const auto& [key, text] : texts_) {
      for (const auto& f : table) {
        if (key == prefix + f.name) {
          set_from_text(options, f, text);
        }
      }
    }
  }
  /// Whether any flag was.
  [[nodiscard]] bool given() const { return !texts_.empty(); }

 private:
  static std::string describe(const FieldInfo& info, const std::vector<std::string>& choices);
  std::vector<std::pair<std::string, std::string>> texts_;
};

/// --threads and, for what a network computes, --device.
struct RuntimeFlags {
  int threads = 0;
  std::string device = "cpu";

  void add(CLI::App& app);
  /// --threads alone, for a command that stays on the processor.
  void add_threads(CLI::App& app);
  /// Call before anything computes. Throws Error(kUsage) for a device that is not there.
  void apply() const;
};

/// --data, --split, --ratio, --split-seed.
struct DataFlags {
  std::string spec;
  std::string split_file;
  std::string ratio;
  std::uint64_t split_seed = 0;

  void add(CLI::App& app, bool required);
  /// --split, --ratio and --split-seed alone, for a command that takes the data set as its argument.
  void add_split(CLI::App& app);
  /// The data set with its sets assigned; images not yet looked for.
  [[nodiscard]] data::Dataset open() const;
};

/// PATH..., or --data with --set; --limit.
struct ImageFlags {
  std::vector<std::string> paths;
  DataFlags data;
  std::string set;
  std::int64_t limit = 0;

  void add(CLI::App& app, const std::string& default_set);
  /// The images, all there, as a data set: loose files have no rating (NaN) and make one without a name.
  [[nodiscard]] data::Dataset open() const;
};

/// --purify NAME[:key=value,...] (repeatable), or none: a purification other than the model file's.
struct PurifyFlag {
  void add(CLI::App& app, const std::string& group);
  /// Nothing where it was not given. Throws Error(kUsage).
  [[nodiscard]] std::optional<std::vector<models::Purifier>> chain() const;

 private:
  std::vector<std::string> texts_;
};

/// --purify, --compat, --resize... and --crops...: preprocessing other than the model file's.
struct PreprocessingFlags {
  void add(CLI::App& app);
  void apply(models::Scorer& scorer) const;
  /// Whether any of them was.
  [[nodiscard]] bool given() const { return purify_.chain() || !compat_.empty() || flags_.given(); }

 private:
  PurifyFlag purify_;
  std::string compat_;
  TableFlags flags_;
};

/// --attack NAME[:key=value,...] (repeatable), --eps (repeatable), --direction, --unit, --seed, --adaptive,
/// --eot-draws.
struct AttackFlags {
  std::vector<std::string> names;
  std::vector<std::string> budgets;
  attacks::AttackOptions base;

  void add(CLI::App& app);
  /// Every attack at every budget, in order. Empty when no attack is named.
  [[nodiscard]] std::vector<attacks::AttackOptions> resolve() const;

 private:
  TableFlags flags_;
};

struct PixelSize {
  std::int64_t height = 0;
  std::int64_t width = 0;
};
/// "HxW" in pixels, both 16 to 8192. Throws Error(kUsage).
[[nodiscard]] PixelSize parse_size(const std::string& text);

/// {"tool", "version", "command", "config"}: the head of every JSON output.
[[nodiscard]] nlohmann::json output_head(const std::string& command, const nlohmann::json& config);

Command add_demo(CLI::App& app);
Command add_train(CLI::App& app);
Command add_score(CLI::App& app);
Command add_evaluate(CLI::App& app);
/// `results list`, `show`, `export` and `merge`.
std::vector<Command> add_results(CLI::App& app);
Command add_certify(CLI::App& app);
Command add_gate(CLI::App& app);
Command add_report(CLI::App& app);
Command add_attack(CLI::App& app);
/// `surrogate`, below `attack train`.
Command add_train_surrogate(CLI::App& app);
/// `attack train uap` and `surrogate`, below the attack verb.
Command add_attack_train(CLI::App& attack);
Command add_doctor(CLI::App& app);
/// `bench nt-step`, `score`, `attack`, `decode` and `startup`.
std::vector<Command> add_bench(CLI::App& app);
Command add_models(CLI::App& app);
Command add_data_check(CLI::App& app);
Command add_inspect(CLI::App& app);
Command add_convert(CLI::App& app);
Command add_export(CLI::App& app);

}  // namespace steadyiqa::cli
