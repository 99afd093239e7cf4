#include "cli/common.h"

#include "checkpoint/convert.h"
#include "stats/parse_label_scale.h"

namespace steadyiqa::cli {
namespace {

struct ConvertFlags {
  std::string in;
  std::string out;
  checkpoint::ModelChoice choice{};
  std::string labels;
  PurifyFlag purify;
};

int run_convert(ConvertFlags& flags) {
  if (!flags.labels.empty()) {
    flags.choice.label_scale = stats::parse_label_scale(flags.labels);
  }
  const auto what = checkpoint::convert(flags.in, flags.out, flags.choice, flags.purify.chain());
  print(fmt::format("{}: {}\n", one_line(flags.out), one_line(what)));
  return 0;
}

}  // namespace

Command add_convert(CLI::App& app) {
  auto flags = std::make_shared<ConvertFlags>();
  auto* sub = app.add_subcommand("convert", "a checkpoint as a self-contained .safetensors, or as a PyTorch .pth");
  sub->add_option("IN", flags->in, "safetensors or PyTorch file")->required();
  sub->add_option("OUT", flags->out, "ends in .safetensors, .pth or .pt")->required();
  sub->add_option("--model", flags->choice.model, "the model it holds (default: told by its tensors' names)");
  sub->add_option("--backbone", flags->choice.backbone, "that model's trunk");
  sub->add_option("--swin-scale", flags->choice.swin_scale, "maniqa: 0.8 (default), or 0.13 of its PIPAL weights");
  sub->add_option(
      "--labels", flags->labels,
      "WORST:BEST, the labels that it was trained on (0:100; 100:0 of a DMOS; default: the published ones')");
  flags->purify.add(*sub, "Model");
  sub->footer("Nothing in a file is run. A PyTorch file written here is read by torch.load(weights_only=True).");
  return {sub, [flags] { return run_convert(*flags); }};
}

}  // namespace steadyiqa::cli
