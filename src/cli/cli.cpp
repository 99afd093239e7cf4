#include "cli/cli.h"

#include "cli/common.h"

#include "base/log.h"
#include "base/text.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>

namespace steadyiqa::cli {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

int report_error(const std::string& message, int code) {
  std::fflush(stdout);
  fmt::print(stderr, "steadyiqa: {}\n", message);
  return code;
}

/// The first word that nothing understands, with the nearest one known: CLI11 would sooner tell what is missing. ""
/// when there is none.
std::string unknown_word(const CLI::App& app) {
  const auto words = app.remaining(/*recurse=*/true);
  if (words.empty()) {
    return "";
  }
  const CLI::App* deepest = &app;  // `data check`: the command within a command
  while (!deepest->get_subcommands().empty()) {
    deepest = deepest->get_subcommands().front();
  }
  const auto commands = deepest->get_subcommands({});
  const bool is_flag = words.front().starts_with("-");
  std::vector<std::string> known;
  if (is_flag) {
    for (const CLI::App* place : {&app, deepest}) {
      for (const auto* option : place->get_options()) {
        known.push_back(option->get_name());
      }
    }
  } else {
    for (const auto* command : commands) {
      known.push_back(command->get_name());
    }
  }
  const auto* what = is_flag ? "option" : commands.empty() ? "argument" : "command";
  const auto word = one_line(words.front());
  const auto nearest = known.empty() ? "" : suggestion(word, known);
  // A list of all options would be longer than --help.
  return fmt::format("unknown {} '{}'{}", what, word, is_flag && !nearest.starts_with(" (did") ? "" : nearest);
}

int run_command(const std::vector<Command>& commands) {
  for (const auto& command : commands) {
    if (!command.app->parsed()) {
      continue;
    }
    try {
      return command.run();
    } catch (const Error& error) {
      return report_error(error.what(), error.exit_code());
    } catch (const c10::Error& error) {
      return report_error(first_line(error.what_without_backtrace()), static_cast<int>(ErrorKind::kInput));
    } catch (const std::bad_alloc&) {
      return report_error("out of memory", static_cast<int>(ErrorKind::kInput));
    } catch (const std::exception& error) {
      return report_error(first_line(error.what()), static_cast<int>(ErrorKind::kInput));
    }
  }
  return 0;
}

}  // namespace

int run_cli(int argc, char** argv) {
  install_interrupt_handler();
  CLI::App app("SteadyIQA: image-quality scores that hold still under attack", "steadyiqa");
  app.set_version_flag("--version,-v", std::string("steadyiqa ") + kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  std::string progress = "auto";
  bool quiet = false;
  app.add_option("--progress", progress, "progress on stderr: auto, bar, json")
      ->check(CLI::IsMember({"auto", "bar", "json"}));
  app.add_flag("--quiet,-q", quiet, "no progress, warnings only");
  app.footer(
      "Exit codes: 0 done, 1 usage, 2 input, file or model, 3 gate failed, 4 some items failed,\n"
      "5 a numeric check failed, 130 interrupted (resumable).");
  std::vector<Command> commands = {add_demo(app),    add_train(app),   add_score(app),  add_evaluate(app),
                                   add_attack(app),  add_doctor(app),  add_models(app), add_data_check(app),
                                   add_inspect(app), add_convert(app), add_export(app), add_certify(app),
                                   add_gate(app),    add_report(app)};
  std::ranges::move(add_results(app), std::back_inserter(commands));
  std::ranges::move(add_bench(app), std::back_inserter(commands));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return app.exit(error);  // --help and --version
    }
    const auto unknown = unknown_word(app);
    return report_error((unknown.empty() ? first_line(error.what()) : unknown) + " (see steadyiqa --help)",
                        static_cast<int>(ErrorKind::kUsage));
  } catch (const Error& error) {
    return report_error(error.what(), error.exit_code());
  }
  if (quiet) {
    set_progress_mode(ProgressMode::kQuiet);
  } else if (progress != "auto") {
    set_progress_mode(progress == "json" ? ProgressMode::kJson : ProgressMode::kBar);
  }
  return run_command(commands);
}

}  // namespace steadyiqa::cli
