#include "cli/common.h"

#include "base/json_text.h"
#include "data/check.h"
#include "report/dataset_report.h"

namespace steadyiqa::cli {
namespace {

constexpr std::int64_t kSample = 48;

struct CheckFlags {
  DataFlags data;
  bool all = false;
  bool json = false;
};

int run_check(const CheckFlags& flags) {
  const auto dataset = flags.data.open();
  const auto check = data::check_dataset(dataset, flags.all ? 0 : kSample);
  if (flags.json) {
    auto json = output_head("data check", {{"data", flags.data.spec},
                                           {"split", flags.data.split_file},
                                           {"ratio", flags.data.ratio},
                                           {"split_seed", flags.data.split_seed},
                                           {"all", flags.all}});
    json["check"] = data::to_json(check);
    json["data_digest"] = dataset.digest();
    print(json_text(json) + "\n");
  } else {
    print(report::dataset_report(check));
  }
  return check.has_failures() ? static_cast<int>(ErrorKind::kPartial) : 0;
}

}  // namespace

Command add_data_check(CLI::App& app) {
  auto flags = std::make_shared<CheckFlags>();
  auto* group = app.add_subcommand("data", "look at data sets");
  group->require_subcommand(1);
  auto* sub = group->add_subcommand("check", "count, open and describe a data set, and tell what is odd about it");
  sub->add_option("SPEC", flags->data.spec, "data set: READER:PATH[,option=value...] or a .csv manifest")->required();
  flags->data.add_split(*sub);
  sub->add_flag("--all", flags->all, fmt::format("open all images (default: {} evenly spread)", kSample));
  sub->add_flag("--json", flags->json, "everything as one JSON object on stdout");
  std::string readers = "Readers:\n";
  for (const auto& reader : data::dataset_readers()) {
    readers += fmt::format("  {:<10}{}\n", reader.name, reader.help);
  }
  sub->footer(readers + "Exit code 4: images are missing or do not decode.");
  return {sub, [flags] { return run_check(*flags); }};
}

}  // namespace steadyiqa::cli
