#include "cli/common.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "checkpoint/model_file.h"
#include "models/compat.h"
#include "parallel/runtime.h"
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
  int threads = 0;
  std::string precision = "float32";
  PreprocessingFlags preprocessing;
};

/// One image's line in the chosen format. `error` is empty when there is a score.
std::string line_of(const ScoreFlags& flags, const std::string& path, double score, double raw,
                    const std::string& error) {
  if (flags.json) {
    nlohmann::json json = {{"image", path}};
    if (error.empty()) {
      json["score"] = score;
      json["raw_score"] = raw;
    } else {
      json["error"] = error;
    }
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  if (flags.csv) {
    return error.empty() ? fmt::format("{},{:.6f},{:.6f},\n", csv_field(path), score, raw)
                         : fmt::format("{},,,{}\n", csv_field(path), csv_field(error));
  }
  return error.empty() ? fmt::format("{:8.3f}  {}\n", score, one_line(path)) : "";
}

nlohmann::json head_of(const checkpoint::LoadedModel& model, const ScoreFlags& flags) {
  const auto& options = model.scorer.options();
  auto config = options_to_json(options.crops, models::crop_policy_fields());
  config.update(options_to_json(options.input, models::input_policy_fields()));
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
  head["device"] = "cpu";
  head["precision"] = flags.precision;
  return head;
}

int run_score(const ScoreFlags& flags) {
  parallel::configure_threads(flags.threads);
  auto model = checkpoint::load_model(flags.model);
  flags.preprocessing.apply(model.scorer);
  model.scorer.use_precision(models::parse_precision(flags.precision));
  const auto& options = model.scorer.options();
  const auto scale = models::reported_scale(options);
  if (!model.scorer.options().scale.calibrated) {
    log_warning("{}: not calibrated, scores are raw network output", flags.model);
  }
  const auto paths = image_paths(flags.paths);
  if (flags.json) {
    print(head_of(model, flags).dump() + "\n");
  } else if (flags.csv) {
    print("image,score,raw_score,error\n");
  }
  std::int64_t failed = 0;
  torch::NoGradGuard no_grad;
  scoring::for_each_image(paths, options.input.orientation, "scoring",
                          [&](std::int64_t i, const Result<torch::Tensor>& pixels) {
                            const auto path = paths[static_cast<std::size_t>(i)].string();
                            std::string error = pixels ? "" : pixels.error();
                            double raw = 0;
                            try {
                              if (pixels) {
                                raw = model.scorer.raw(pixels.value())[0].item<double>();
                                error = std::isfinite(raw) ? "" : path + ": the model's score is not finite";
                              }
                            } catch (const Error& failure) {  // an image that cannot be resized, say
                              error = fmt::format("{}: {}", path, failure.what());
                            }
                            if (!error.empty()) {
                              ++failed;
                              log_warning("{}", error);
                            }
                            print(line_of(flags, path, scale.line(raw), raw, error));
                          });
  if (failed == 0) {
    return 0;
  }
  const bool all = failed == static_cast<std::int64_t>(paths.size());
  log_warning("{} of {} images could not be scored", failed, paths.size());
  return static_cast<int>(all ? ErrorKind::kInput : ErrorKind::kPartial);
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
  sub->add_option("--threads", flags->threads, "threads of libtorch; 0 = physical cores")->check(CLI::Range(0, 1024));
  sub->add_option("--precision", flags->precision, kPrecisionHelp)->capture_default_str();
  flags->preprocessing.add(*sub);
  sub->footer("docs/preprocessing.md says what each --compat does, and what happens to small and rotated images.");
  return {sub, [flags] { return run_score(*flags); }};
}

}  // namespace steadyiqa::cli
