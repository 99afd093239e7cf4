#include "cli/common.h"

#include "base/file.h"
#include "base/json_text.h"
#include "base/log.h"
#include "checkpoint/model_file.h"
#include "image/paths.h"
#include "inference/score_printer.h"
#include "models/compat.h"
#include "parallel/device.h"
#include "scoring/score_set.h"

#include <torch/torch.h>

#include <cmath>
#include <filesystem>

namespace steadyiqa::cli {
namespace {

struct ScoreFlags {
  std::vector<std::string> paths;
  std::string model;
  bool json = false;
  bool csv = false;
  RuntimeFlags runtime;
  std::string precision = "float32";
  PreprocessingFlags preprocessing;
};

nlohmann::json head_of(const checkpoint::LoadedModel& model, const ScoreFlags& flags) {
  const auto& options = model.scorer.options();
  auto config = options_to_json(options.crops, image::crop_policy_fields());
  config.update(options_to_json(options.input, image::input_policy_fields()));
  config["purify"] = models::purification_texts(options.purification);
  config["compat"] = models::compat_names().at(static_cast<std::size_t>(options.compat));
  auto head = output_head("score", config);
  const auto scale = models::reported_scale(options);
  head["model"] = {{"path", flags.model},
                   {"sha256", model.sha256},
                   {"name", options.model},
                   {"backbone", options.backbone},
                   {"score", scale.name},
                   {"calibrated", options.scale.calibrated},
                   {"range", {scale.min, scale.max}},  // NaN, an unknown end, is written as null
                   {"higher_is_better", scale.higher_is_better}};
  head["device"] = parallel::device_name();
  head["precision"] = flags.precision;
  return head;
}

int run_score(const ScoreFlags& flags) {
  flags.runtime.apply();
  auto model = checkpoint::load_model(flags.model);
  flags.preprocessing.apply(model.scorer);
  model.scorer.use_precision(models::parse_precision(flags.precision));
  const auto& options = model.scorer.options();
  const auto scale = models::reported_scale(options);
  if (!model.scorer.options().scale.calibrated) {
    log_warning("{}: not calibrated, scores are raw network output", flags.model);
  }
  const auto paths = image::image_paths(flags.paths);
  if (flags.json) {
    print(json_text(head_of(model, flags)) + "\n");
  }
  using inference::ScoreFormat;
  const auto format = flags.json ? ScoreFormat::kJson : flags.csv ? ScoreFormat::kCsv : ScoreFormat::kText;
  inference::ScorePrinter printer(format);
  torch::NoGradGuard no_grad;
  scoring::for_each_image(paths, options.input.orientation, "scoring",
                          [&](std::int64_t i, const Result<torch::Tensor>& pixels) {
                            const auto path = paths[static_cast<std::size_t>(i)].string();
                            if (!pixels) {
                              return printer.add_failure(path, pixels.error());
                            }
                            try {
                              const double raw = model.scorer.raw(pixels.value())[0].item<double>();
                              if (!std::isfinite(raw)) {
                                fail_input("the model's score is not finite");
                              }
                              printer.add(path, scale.line(raw), raw);
                            } catch (const Error& failure) {  // an image that cannot be resized, say
                              printer.add_failure(path, fmt::format("{}: {}", path, failure.what()));
                            }
                          });
  return printer.exit_code();
}

}  // namespace

Command add_score(CLI::App& app) {
  auto flags = std::make_shared<ScoreFlags>();
  auto* sub =
      app.add_subcommand("score", "one score per image: 0-100, higher is better (--compat: the authors' scale)");
  sub->add_option("PATH", flags->paths, "image files, folders, or - for a list of paths on stdin")->required();
  sub->add_option("--model", flags->model, "model file (.safetensors)")->required();
  auto* json = sub->add_flag("--json", flags->json, "a head object, then one object per image and line");
  sub->add_flag("--csv", flags->csv, "image,score,raw_score,error")->excludes(json);
  flags->runtime.add(*sub);
  sub->add_option("--precision", flags->precision, kPrecisionHelp)->capture_default_str();
  flags->preprocessing.add(*sub);
  sub->footer("docs/preprocessing.md says what each --compat does, and what happens to small and rotated images.");
  return {sub, [flags] { return run_score(*flags); }};
}

}  // namespace steadyiqa::cli
