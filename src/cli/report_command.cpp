#include "cli/common.h"
#include "cli/stored_plans.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "report/html_report.h"
#include "report/report_document.h"
#include "report/text_report.h"

namespace steadyiqa::cli {
namespace {

struct ReportFlags {
  std::string store;
  std::string protocol;
  std::string out = "report.html";
  std::int64_t resamples = 2000;
  std::int64_t seed = 1;
};

int run_report(const ReportFlags& flags) {
  auto store = open_store(flags.store);
  const auto tables = tables_of(store, flags.protocol);
  if (tables.size() > 1) {
    fail_usage("{}: holds results of several protocols or sets; choose with --protocol (steadyiqa results list)",
               flags.store);
  }
  const auto extension = std::filesystem::path(flags.out).extension();
  auto document = report::report_document(
      store, tables.front(),
      {.bootstrap = {.resamples = flags.resamples, .seed = static_cast<std::uint64_t>(flags.seed)},
       .pictures = extension == ".html"});
  document.update(output_head("report", {{"store", flags.store}, {"protocol", flags.protocol}}));
  if (extension == ".html") {
    write_file_atomic(flags.out, report::html_report(document));
  } else if (extension == ".json") {
    write_file_atomic(flags.out, json_text(document, 1) + "\n");
  } else if (extension == ".md") {
    write_file_atomic(flags.out, report::markdown_report(document));
  } else if (extension == ".csv") {
    write_file_atomic(flags.out, report::csv_report(document));
  } else if (extension == ".tex") {
    write_file_atomic(flags.out, report::latex_report(document));
  } else {
    fail_usage("--out {}: ends in none of .html, .json, .md, .csv, .tex", flags.out);
  }
  std::string text;
  for (const auto& sentence : document.at("verdict")) {
    text += sentence.get<std::string>() + "\n";
  }
  print(text);
  return 0;
}

}  // namespace

Command add_report(CLI::App& app) {
  auto flags = std::make_shared<ReportFlags>();
  auto* sub = app.add_subcommand("report", "what a store of results says: a page, or tables for papers");
  sub->add_option("STORE", flags->store, "SQLite file that evaluate --store filled")->required();
  sub->add_option("--protocol", flags->protocol, "of this protocol: name, or begin of its digest");
  sub->add_option("--out", flags->out, ".html (one file, no network), .md, .csv, .tex or .json")->capture_default_str();
  sub->add_option("--resamples", flags->resamples, "of the bootstrap")->check(CLI::Range(100, 1'000'000));
  sub->add_option("--seed", flags->seed, "of the bootstrap")->check(CLI::NonNegativeNumber);
  return {sub, [flags] { return run_report(*flags); }};
}

}  // namespace steadyiqa::cli
