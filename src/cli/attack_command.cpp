#include "cli/common.h"

#include "attacks/catalogue.h"
#include "attacks/external_victim.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/text.h"
#include "checkpoint/model_file.h"
#include "data/loader.h"
#include "evaluation/attack_pack.h"
#include "evaluation/evaluate.h"
#include "report/csv.h"
#include "report/picture.h"
#include "scoring/score_set.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace steadyiqa::cli {
namespace {

struct AttackCommandFlags {
  ImageFlags images;
  AttackFlags attack;
  PreprocessingFlags preprocessing;
  std::string model;
  std::string victim_command;
  std::string victim_url;
  TableFlags victim;
  bool anywhere = false;
  std::string out;
  std::string verify;
  std::string msu_csv;
  bool list = false;
  bool json = false;
  RuntimeFlags runtime;
};

int run_list(bool as_json) {
  auto rows = nlohmann::json::array();
  std::string text;
  for (const auto& info : attacks::attack_catalogue()) {
    auto parameters = nlohmann::json::array();
    std::string shown;
    for (const auto& p : info.parameters) {
      parameters.push_back({{"name", p.name}, {"help", p.help}, {"default", p.value}});
      shown += fmt::format("      {} = {}: {}\n", p.name,
                           p.value.is_string() ? p.value.get<std::string>() : p.value.dump(), p.help);
    }
    rows.push_back({{"name", info.name},
                    {"help", info.help},
                    {"box", attacks::box_name(info.box)},
                    {"cost", info.cost},
                    {"source", info.source},
                    {"parameters", parameters}});
    text += fmt::format("{:19}{:9} {}\n      {}; {}\n{}", info.name, attacks::box_name(info.box), info.help,
                        info.source, info.cost, shown);
  }
  if (as_json) {
    auto json = output_head("attack", {{"list", true}});
    json["attacks"] = rows;
    print(json_text(json) + "\n");
  } else {
    print(text +
          "\ncost: model calls for each image and direction, judging not counted; F forward, B forward and backward\n");
  }
  return 0;
}

int run_verify(const AttackCommandFlags& flags) {
  flags.runtime.apply();
  const auto pack = evaluation::read_pack(flags.verify);
  std::optional<checkpoint::LoadedModel> model;
  if (!flags.model.empty()) {
    model.emplace(checkpoint::load_model(flags.model));
    flags.preprocessing.apply(model->scorer);
  }
  const auto problems = evaluation::verify_pack(pack, model ? &*model : nullptr);
  for (const auto& problem : problems) {
    log_warning("{}", problem);
  }
  if (flags.json) {
    auto json = output_head("attack", {{"verify", flags.verify}});
    json["images"] = pack.rows.size();
    json["scores_checked"] = model.has_value();
    json["problems"] = problems;
    print(json_text(json) + "\n");
  } else if (problems.empty()) {
    print(fmt::format("{}: {} images hold{}\n", one_line(flags.verify), pack.rows.size(),
                      model ? ", scores included" : " (scores not checked: no --model)"));
  }
  return problems.empty() ? 0 : static_cast<int>(ErrorKind::kInput);
}

/// A folder for each attack and budget, where there are several.
std::filesystem::path pack_folder(const AttackCommandFlags& flags, const attacks::AttackOptions& options,
                                  bool several) {
  std::filesystem::path out = flags.out;
  if (!several) {
    return out;
  }
  auto name = fmt::format("{}-{:g}px", options.attack.text(), options.epsilon);
  constexpr std::size_t kLongest = 120;  // a name that holds a path may be longer than a file system takes
  if (name.size() > kLongest) {
    name = fmt::format("{}-{}", name.substr(0, kLongest), sha256_hex(name).substr(0, 8));
  }
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '.' && c != '='; }, '_');
  return out / name;
}

void write_preview(const std::filesystem::path& dir, const evaluation::PackRow& row,
                   const attacks::AttackResult& result) {
  if (result.clean.size(0) != 1) {
    return;  // crops are no picture
  }
  int factor = 1;
  const auto preview =
      report::amplify_perturbation(data::to_image(result.clean), data::to_image(result.attacked), factor);
  image::write_png(dir / "preview" / row.file, preview);
}

/// Who is attacked: a model file, or an external victim that only answers.
struct Subject {
  std::optional<checkpoint::LoadedModel> model;
  std::unique_ptr<attacks::ExternalVictim> external;

  [[nodiscard]] stats::Affine calibration() const {
    return external ? external->calibration() : model->scorer.options().scale.calibration;
  }
  [[nodiscard]] image::Orientation orientation() const {
    return external ? image::Orientation::kApplied : model->scorer.options().input.orientation;
  }
};

Subject subject_of(const AttackCommandFlags& flags) {
  if ((flags.model.empty() ? 0 : 1) + (flags.victim_command.empty() ? 0 : 1) + (flags.victim_url.empty() ? 0 : 1) !=
      1) {
    fail_usage("attack takes one of --model, --victim-command and --victim-url");
  }
  Subject subject;
  if (!flags.model.empty()) {
    subject.model.emplace(checkpoint::load_model(flags.model));
    flags.preprocessing.apply(subject.model->scorer);
    return subject;
  }
  attacks::ExternalOptions options;
  flags.victim.apply("victim-", options, attacks::external_fields());
  if (!flags.victim_command.empty()) {
    subject.external = std::make_unique<attacks::CommandVictim>(attacks::split_command(flags.victim_command), options);
  } else {
    subject.external = std::make_unique<attacks::HttpVictim>(
        flags.victim_url, options, flags.anywhere ? attacks::Reach::kAnywhere : attacks::Reach::kLoopback);
  }
  return subject;
}

evaluation::PackConfig config_of(const AttackCommandFlags& flags, const Subject& subject, const data::Dataset& dataset,
                                 const attacks::AttackOptions& options) {
  evaluation::PackConfig config;
  config.attack = evaluation::describe(options);
  config.seed = options.seed;
  config.data_name = dataset.name;
  config.calibration = subject.calibration();
  if (subject.external) {
    config.victim = flags.victim_command.empty() ? flags.victim_url : flags.victim_command;
    config.preprocessing = "the victim's own";
  } else {
    const auto about = evaluation::describe(*subject.model, flags.model, dataset);
    config.victim = about.model_name;
    config.victim_sha256 = about.model_sha256;
    config.preprocessing = about.crops;
    config.adaptive = evaluation::adaptive_text(subject.model->scorer.options(), options);
  }
  return config;
}

/// One image; `row` holds its name and MOS.
attacks::AttackResult attack_image(Subject& subject, const attacks::Attack& attack, const torch::Tensor& pixels,
                                   const attacks::AttackOptions& options, evaluation::ImageResult& row) {
  if (!subject.external) {
    row = evaluation::clean_image(subject.model->scorer, row.name, row.mos, pixels).result;
    auto result = attack.run(subject.model->scorer, pixels, options);
    evaluation::add_attack(row, result, subject.calibration());
    return result;
  }
  auto result = attack.run(*subject.external, pixels, options);
  row.clean_raw = result.clean_raw;
  row.clean = subject.calibration()(result.clean_raw);
  row.gradient_l1 = std::nan("");
  evaluation::add_attack(row, result, subject.calibration());
  return result;
}

/// The images that the pack does not hold yet.
std::vector<std::size_t> left_to_do(const data::Dataset& dataset, const evaluation::PackWriter& pack) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    if (!pack.has(dataset.samples[i].name)) {
      indices.push_back(i);
    }
  }
  if (indices.size() < dataset.samples.size()) {
    log_info("{} images are done", dataset.samples.size() - indices.size());
  }
  return indices;
}

/// One attack on every image, into its pack.
void attack_images(Subject& subject, const data::Dataset& dataset, const attacks::AttackOptions& options,
                   evaluation::PackWriter& pack, const std::filesystem::path& dir) {
  const auto attack = attacks::make_attack(options.attack);
  evaluation::warn_of_caveats(*attack, subject.model ? subject.model->sha256 : "");
  const bool on_set = static_cast<bool>(attacks::find_attack(options.attack.name).targets);
  if (on_set && subject.external) {
    fail_usage("attack '{}' needs a model file", options.attack.name);
  }
  const auto targets =
      on_set ? evaluation::attack_targets(subject.model->scorer, dataset, options) : std::vector<double>();
  const auto mos =
      dataset.name.empty() ? std::vector<double>(dataset.samples.size(), std::nan("")) : scoring::mos_0_100(dataset);
  const auto indices = left_to_do(dataset, pack);
  std::vector<std::filesystem::path> paths;
  std::ranges::transform(indices, std::back_inserter(paths),
                         [&](std::size_t index) { return dataset.samples[index].path; });
  std::filesystem::create_directories(dir / "preview");
  scoring::for_each_image(paths, subject.orientation(), "attacking with " + options.attack.text(),
                          [&](std::int64_t i, const Result<torch::Tensor>& pixels) {
                            if (!pixels) {
                              fail_input("{}", pixels.error());
                            }
                            const auto index = indices[static_cast<std::size_t>(i)];
                            auto own = options;
                            if (on_set) {
                              own.target = targets[index];
                            }
                            evaluation::ImageResult row;
                            row.name = dataset.samples[index].name;
                            row.mos = mos[index];
                            const auto result = attack_image(subject, *attack, pixels.value(), own, row);
                            pack.add(result.clean, result.attacked, row);
                            write_preview(dir, pack.rows().back(), result);
                          });
  evaluation::warn_of_training_images(
      options.attack, std::ranges::count_if(pack.rows(), [](const auto& row) { return row.result.own_training_image; }),
      pack.rows().size());
}

std::string summary_line(const attacks::AttackOptions& options, const std::filesystem::path& dir,
                         const std::vector<evaluation::PackRow>& rows) {
  double change = 0;
  double largest = 0;
  double calls = 0;
  for (const auto& row : rows) {
    const double moved = std::abs(row.result.attacked - row.result.clean);
    change += moved / static_cast<double>(rows.size());
    largest = std::max(largest, moved);
    calls += static_cast<double>(row.result.model_calls) / static_cast<double>(rows.size());
  }
  return fmt::format(
      "{} at {:g}px: {} images, mean score change {:.2f} points (largest {:.2f}), {:.1f} model calls an image -> {}\n",
      options.attack.text(), options.epsilon, rows.size(), change, largest, calls, one_line(dir.string()));
}

int run_attack(const AttackCommandFlags& flags) {
  if (flags.list) {
    return run_list(flags.json);
  }
  if (!flags.verify.empty()) {
    return run_verify(flags);
  }
  const auto attack_list = flags.attack.resolve();
  if (attack_list.empty() || flags.out.empty()) {
    fail_usage("attack needs a victim (--model), --attack, --eps and --out (or --list, or --verify PACK)");
  }
  flags.runtime.apply();
  const auto dataset = flags.images.open();
  auto subject = subject_of(flags);
  auto json = output_head("attack",
                          {{"data", flags.images.data.spec}, {"set", flags.images.set}, {"limit", flags.images.limit}});
  std::string msu;
  for (const auto& options : attack_list) {
    if (subject.model) {
      evaluation::require_midpoint(*subject.model, flags.model, options);
      evaluation::warn_where_not_adaptive(flags.model, subject.model->scorer.options(), options);
    }
    const auto dir = pack_folder(flags, options, attack_list.size() > 1);
    evaluation::PackWriter pack(dir, config_of(flags, subject, dataset, options));
    attack_images(subject, dataset, options, pack, dir);
    if (!flags.json) {
      print(summary_line(options, dir, pack.rows()));
    }
    auto rows = nlohmann::json::array();
    for (const auto& row : pack.rows()) {
      rows.push_back(evaluation::to_json(row.result, /*attacked=*/true));
      msu += report::msu_row(row.result, dataset.name);
    }
    json["packs"].push_back(
        {{"dir", dir.string()}, {"attack", options.attack.text()}, {"adaptive", pack.adaptive()}, {"images", rows}});
  }
  if (!flags.msu_csv.empty()) {
    write_file_atomic(flags.msu_csv, report::msu_head() + msu);
  }
  if (flags.json) {
    print(json_text(json) + "\n");
  }
  return 0;
}

/// What is for attacks would reach them from below, too, and change nothing there.
void refuse_options_of(const CLI::App& attack) {
  for (const auto* option : attack.get_options()) {
    if (option->count() > 0) {
      fail_usage("{} is for attack, not for attack train", option->get_name());
    }
  }
}

}  // namespace

Command add_attack(CLI::App& app) {
  auto flags = std::make_shared<AttackCommandFlags>();
  auto* sub = app.add_subcommand("attack", "attacked images of one model, as a pack that can be checked and passed on");
  flags->images.add(*sub, "test");
  sub->add_option("--model", flags->model, "model file of the victim");
  sub->add_option("--victim-command", flags->victim_command,
                  "a victim that is a command: run with a PNG's path ({} or last), prints its score; queries only");
  sub->add_option("--victim-url", flags->victim_url,
                  "a victim behind HTTP: gets a PNG by POST, answers with its score; loopback only");
  sub->add_flag("--victim-anywhere", flags->anywhere, "let --victim-url reach other machines");
  flags->victim.add(*sub, "victim-", attacks::external_fields(), "External victim");
  sub->add_option("--out", flags->out, "folder of the pack; a run that was stopped goes on in it");
  flags->attack.add(*sub);
  flags->preprocessing.add(*sub);
  auto* list = sub->add_flag("--list", flags->list, "the attacks there are, with their parameters");
  sub->add_option("--verify", flags->verify, "check a pack: digests, budget, and with --model the scores")
      ->excludes(list);
  sub->add_option("--msu-csv", flags->msu_csv, "write the columns of MSU's benchmark to a CSV file");
  sub->add_flag("--json", flags->json, "one JSON object on stdout");
  flags->runtime.add(*sub);
  const auto train = add_attack_train(*sub);
  return {sub, [flags, train, sub] {
            if (!train.app->parsed()) {
              return run_attack(*flags);
            }
            refuse_options_of(*sub);
            return train.run();
          }};
}

}  // namespace steadyiqa::cli
