#include "cli/common.h"

#include "attacks/uap_training.h"
#include "base/digest.h"
#include "base/json_text.h"
#include "checkpoint/model_file.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace steadyiqa::cli {
namespace {

struct TrainUapFlags {
  ImageFlags images;
  PreprocessingFlags preprocessing;
  TableFlags options;
  std::string model;
  std::string out;
  bool json = false;
  RuntimeFlags runtime;
};

int run_train_uap(const TrainUapFlags& flags) {
  attacks::UapOptions options;
  flags.options.apply("", options, attacks::uap_fields());
  flags.runtime.apply();
  const auto images = flags.images.open();
  auto model = checkpoint::load_model(flags.model);
  flags.preprocessing.apply(model.scorer);
  const auto uap = attacks::train_uap(model, images, options,
                                      [&](const attacks::Uap& so_far) { attacks::write_uap(flags.out, so_far); });
  if (flags.json) {
    auto json = output_head("attack train uap", options_to_json(options, attacks::uap_fields()));
    json["data"] = {{"spec", flags.images.data.spec}, {"digest", images.digest()}, {"images", images.samples.size()}};
    json["model"] = {{"path", flags.model}, {"sha256", model.sha256}};
    json["out"] = {{"path", flags.out}, {"sha256", sha256_file(flags.out)}};
    print(json_text(json) + "\n");
  } else {
    print(fmt::format("{} epochs on {} images -> {}\n", uap.epochs, images.samples.size(), one_line(flags.out)));
  }
  return 0;
}

Command add_train_uap(CLI::App& train) {
  auto flags = std::make_shared<TrainUapFlags>();
  auto* sub = train.add_subcommand(
      "uap", "a universal perturbation of one model, for attack uap; an interrupted run leaves the last epoch's");
  flags->images.add(*sub, "train");
  sub->add_option("--model", flags->model, "model file whose score is pushed")->required();
  sub->add_option("--out", flags->out, "the perturbation, a safetensors file")->required();
  flags->options.add(*sub, "", attacks::uap_fields(), "Training");
  flags->preprocessing.add(*sub);
  sub->add_flag("--json", flags->json, "the result as JSON");
  flags->runtime.add(*sub);
  return {sub, [flags] { return run_train_uap(*flags); }};
}

}  // namespace

Command add_attack_train(CLI::App& attack) {
  auto* train = attack.add_subcommand("train", "what attacks bring along: universal perturbations, surrogates");
  train->require_subcommand(1);
  const std::vector<Command> commands = {add_train_uap(*train), add_train_surrogate(*train)};
  return {train, [commands] {
            const auto parsed = std::ranges::find_if(commands, [](const Command& c) { return c.app->parsed(); });
            return parsed->run();
          }};
}

}  // namespace steadyiqa::cli
