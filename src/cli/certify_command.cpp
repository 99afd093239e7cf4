#include "cli/common.h"

#include "base/error.h"
#include "base/json_text.h"
#include "base/log.h"
#include "checkpoint/model_file.h"
#include "data/split.h"
#include "evaluation/certify.h"
#include "parallel/device.h"
#include "scoring/score_set.h"

namespace steadyiqa::cli {
namespace {

struct CertifyFlags {
  std::string model;
  ImageFlags images;
  PreprocessingFlags preprocessing;
  TableFlags table;
  bool json = false;
  RuntimeFlags runtime;
};

std::string line(const std::string& name, const evaluation::CertifiedScore& score) {
  if (!score.bounds) {
    return fmt::format("{:.3f}\t-\t-\t-\t{}\n", score.median, name);
  }
  return fmt::format("{:.3f}\t{:.3f}\t{:.3f}\t{:.3f}\t{}\n", score.median, score.bounds->low, score.bounds->high,
                     score.bounds->delta, name);
}

int run_certify(const CertifyFlags& flags) {
  evaluation::CertifyOptions options;
  flags.table.apply("", options, evaluation::certify_fields());
  flags.runtime.apply();
  const auto dataset = flags.images.open();
  auto model = checkpoint::load_model(flags.model);
  flags.preprocessing.apply(model.scorer);
  const auto config = options_to_json(options, evaluation::certify_fields());
  int failed = 0;
  auto head = output_head("certify", config);
  head["device"] = parallel::device_name();
  head["precision"] = "float32";
  if (!flags.json) {
    print(
        fmt::format("# median smoothing, sigma {} and l2 radius {} in [0,1] pixels, {} samples, confidence {}, {}, "
                    "float32{}\n# median\tlow\thigh\tcertified delta\timage\n",
                    options.sigma, options.radius, options.samples, options.confidence, parallel::device_name(),
                    model.scorer.options().scale.calibrated ? "" : "; NOT calibrated"));
  }
  const auto paths = scoring::paths_of(dataset);
  scoring::for_each_image(paths, model.scorer.options().input.orientation, "certifying",
                          [&](std::int64_t i, const Result<torch::Tensor>& decoded) {
                            const auto& name = dataset.samples[static_cast<std::size_t>(i)].name;
                            if (!decoded) {
                              log_warning("{}", decoded.error());
                              ++failed;
                              return;
                            }
                            const auto score = evaluation::certify(model.scorer, decoded.value(), options);
                            auto json = head;
                            json.update(evaluation::to_json(score));
                            json["image"] = name;
                            json["model_sha256"] = model.sha256;
                            print(flags.json ? json_text(json) + "\n" : line(name, score));
                          });
  return failed == 0 ? 0 : static_cast<int>(ErrorKind::kPartial);
}

}  // namespace

Command add_certify(CLI::App& app) {
  auto flags = std::make_shared<CertifyFlags>();
  auto* sub = app.add_subcommand(
      "certify", "an interval that the smoothed score provably keeps under any small enough change (median smoothing)");
  sub->add_option("--model", flags->model, "model file")->required();
  flags->images.add(*sub, "test");
  flags->table.add(*sub, "", evaluation::certify_fields(), "Smoothing");
  flags->preprocessing.add(*sub);
  sub->add_flag("--json", flags->json, "one JSON object a line");
  flags->runtime.add(*sub);
  return {sub, [flags] { return run_certify(*flags); }};
}

}  // namespace steadyiqa::cli
