// steadyiqa-score: scores of images by an exported model. It loads no libtorch: a fifth of the time and of the memory
// of `steadyiqa score` for a single image (docs/performance.md).
#include "base/cores.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/version.h"
#include "image/paths.h"
#include "inference/image_scorer.h"
#include "inference/score_printer.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <future>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa {
namespace {

struct Flags {
  std::vector<std::string> paths;
  std::string model;
  bool json = false;
  bool csv = false;
  bool quiet = false;
  int threads = 0;
  std::string precision = "float32";
};

nlohmann::json head_of(const Flags& flags, const inference::ModelCard& card) {
  auto config = options_to_json(card.crops, image::crop_policy_fields());
  config.update(options_to_json(card.input, image::input_policy_fields()));
  return {{"tool", "steadyiqa-score"},
          {"version", kVersion},
          {"command", "score"},
          {"config", config},
          {"model",
           {{"path", flags.model},
            {"sha256_of_exported", card.model_sha256},
            {"name", card.model},
            {"backbone", card.backbone},
            {"score", card.score_name},
            {"calibrated", card.calibrated},
            {"range", {0, 100}},
            {"higher_is_better", true}}},
          {"device", "cpu"},
          {"precision", flags.precision}};
}

int run(const Flags& flags) {
  const auto precision =
      flags.precision == "bfloat16" ? inference::Precision::kBfloat16 : inference::Precision::kFloat32;
  inference::ImageScorer scorer(flags.model, flags.threads > 0 ? flags.threads : physical_cores(), precision);
  const auto& card = scorer.card();
  if (!card.calibrated) {
    log_warning("{}: not calibrated, scores are raw network output", flags.model);
  }
  const auto paths = image::image_paths(flags.paths);
  if (flags.json) {
    print(json_text(head_of(flags, card)) + "\n");
  }
  using inference::ScoreFormat;
  inference::ScorePrinter printer(flags.json ? ScoreFormat::kJson : flags.csv ? ScoreFormat::kCsv : ScoreFormat::kText);
  Progress progress("scoring", static_cast<std::int64_t>(paths.size()), "images");
  const auto read = [&](std::size_t i) { return image::read_image(paths[i], {}, card.input.orientation); };
  auto next = std::async(std::launch::async, read, 0);  // one image is decoded while another is scored
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (interrupted()) {
      fail(ErrorKind::kInterrupted, "interrupted");
    }
    auto image = next.get();
    if (i + 1 < paths.size()) {
      next = std::async(std::launch::async, read, i + 1);
    }
    const auto path = paths[i].string();
    if (!image) {
      printer.add_failure(path, image.error());
    } else {
      try {
        const double raw = scorer.raw(std::move(image).value());
        printer.add(path, scorer.calibrate(raw), raw);
      } catch (const Error& error) {  // an image that cannot be resized, say
        printer.add_failure(path, fmt::format("{}: {}", path, error.what()));
      }
    }
    progress.advance();
  }
  progress.finish();
  return printer.exit_code();
}

int report_error(const std::string& message, ErrorKind kind) {
  std::fflush(stdout);
  fmt::print(stderr, "steadyiqa-score: {}\n", one_line(message));
  return static_cast<int>(kind);
}

int score_main(int argc, char** argv) {
  install_interrupt_handler();
  CLI::App app("Scores of images by a model that `steadyiqa export` wrote: 0-100, higher is better", "steadyiqa-score");
  app.set_version_flag("--version,-v", std::string("steadyiqa-score ") + kVersion);
  Flags flags;
  app.add_option("PATH", flags.paths, "image files, folders, or - for a list of paths on stdin")->required();
  app.add_option("--model", flags.model, "exported model (.onnx); its own preprocessing is used")->required();
  auto* json = app.add_flag("--json", flags.json, "a head object, then one object per image and line");
  app.add_flag("--csv", flags.csv, "image,score,raw_score,error")->excludes(json);
  app.add_option("--threads", flags.threads, "crops at a time, each on a thread; 0 = physical cores")
      ->check(CLI::Range(0, 1024));
  app.add_option("--precision", flags.precision,
                 "of convolutions: float32, or bfloat16 (faster where the processor has it; docs/performance.md says "
                 "how far scores move)")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->capture_default_str();
  app.add_flag("--quiet,-q", flags.quiet, "no progress, warnings only");
  app.footer("Exit codes: 0 done, 1 usage, 2 input, file or model, 4 some images failed, 130 interrupted.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return app.exit(error);  // --help and --version
    }
    return report_error(std::string(error.what()) + " (see steadyiqa-score --help)", ErrorKind::kUsage);
  }
  if (flags.quiet) {
    set_progress_mode(ProgressMode::kQuiet);
  }
  try {
    return run(flags);
  } catch (const Error& error) {
    return report_error(error.what(), error.kind());
  } catch (const std::bad_alloc&) {
    return report_error("out of memory", ErrorKind::kInput);
  } catch (const std::exception& error) {
    return report_error(error.what(), ErrorKind::kInput);
  }
}

}  // namespace
}  // namespace steadyiqa

int main(int argc, char** argv) { return steadyiqa::score_main(argc, argv); }
