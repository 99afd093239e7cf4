#include "cli/common.h"

#include "base/json_text.h"
#include "evaluation/parity.h"
#include "models/catalogue.h"
#include "parallel/runtime.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

namespace steadyiqa::cli {
namespace {

/// Outputs of the hash-weight networks for the first images of the hash input of seed 9999 in eval mode, made with the
/// authors' code (models.md section 7): the score, or all outputs of a network that has several.
struct KnownOutputs {
  const char* model;
  const char* backbone;
  std::int64_t height, width;
  std::vector<double> outputs;  ///< of image 0, then of image 1 where that is known, too
  double swin_scale = models::kSwinScale;
  double tolerance = 1e-4;  ///< relative; float32 sums in another order differ by about 1e-6
};

const std::vector<KnownOutputs>& known_outputs() {
  // MANIQA's softmax over 3072 channels and its depth lose one digit more.
  static const std::vector<KnownOutputs> kKnown = {
      {"hyperiqa", "resnet50", 224, 224, {1.70686936, 1.65822995}},
      {"dbcnn", "", 224, 224, {-0.0895139}},
      {"dbcnn", "", 250, 333, {-0.0897095}},
      {"linearityiqa", "resnet18", 249, 332, {0.7937387, -0.7176950, -2.6450410}},
      {"linearityiqa", "resnext101_32x8d", 249, 332, {8.2335835, -15.2877026, 7.6089997}},
      {"maniqa", "", 224, 224, {7.8750930}, 0.8, 1e-3},
      {"maniqa", "", 224, 224, {1.9913790}, 0.13, 1e-3},
  };
  return kKnown;
}

struct DoctorFlags {
  evaluation::ParityOptions parity;
  std::string size;
  std::optional<double> swin_scale;
  bool json = false;
  RuntimeFlags runtime;
};

nlohmann::json runtime_json(const parallel::RuntimeInfo& info) {
  return {{"libtorch", info.torch_version},    {"blas", info.blas},
          {"blas_kernels", info.blas_kernels}, {"threads", info.threads},
          {"physical_cores", info.cores},      {"blas_threads", info.blas_threads},
          {"cpu_features", info.cpu_features}, {"onednn", info.onednn},
          {"devices", info.devices},           {"matmul_gflops", std::round(info.matmul_gflops)}};
}

/// The known outputs for these options, nullptr when there are none.
const KnownOutputs* find_known(const evaluation::ParityOptions& options) {
  const auto& info = models::find_model(options.model);
  const auto backbone = models::resolve_backbone(info, options.backbone);
  for (const auto& known : known_outputs()) {
    const bool same_network = options.model == known.model && backbone == known.backbone &&
                              (!info.has_swin_scale || options.swin_scale == known.swin_scale);
    if (same_network && options.seed == 9999 && options.height == known.height && options.width == known.width) {
      return &known;
    }
  }
  return nullptr;
}

/// The images' outputs, one after the other.
std::vector<double> flat_outputs(const nlohmann::json& section) {
  if (!section.contains("outputs")) {
    return section.at("score").get<std::vector<double>>();
  }
  std::vector<double> flat;
  for (const auto& row : section.at("outputs")) {
    flat.insert(flat.end(), row.begin(), row.end());
  }
  return flat;
}

/// Compares with the known outputs where the options are theirs. Returns false on a mismatch.
bool check_known(const evaluation::ParityOptions& options, const nlohmann::json& values, std::string& verdict) {
  const auto* known = find_known(options);
  if (known == nullptr) {
    verdict = "no published value for these options; compare with another machine's output";
    return true;
  }
  double worst = 0;
  for (const char* kernels : {"eval", "fast_kernels"}) {
    const auto outputs = flat_outputs(values.at(kernels));
    for (std::size_t i = 0; i < std::min(outputs.size(), known->outputs.size()); ++i) {
      const double difference = std::abs(outputs[i] - known->outputs[i]) / std::abs(known->outputs[i]);
      worst = std::max(worst, std::isfinite(difference) ? difference : std::numeric_limits<double>::infinity());
    }
  }
  const bool ok = worst <= known->tolerance;
  verdict = fmt::format("{}: largest relative difference from the authors' code {:.1e} (allowed {:.0e})",
                        ok ? "ok" : "MISMATCH", worst, known->tolerance);
  return ok;
}

int run_doctor(DoctorFlags flags) {
  flags.runtime.apply();
  if (!flags.size.empty()) {
    const auto size = parse_size(flags.size);
    flags.parity.height = size.height;
    flags.parity.width = size.width;
  }
  const auto runtime = parallel::runtime_info();
  if (flags.swin_scale && !models::find_model(flags.parity.model).has_swin_scale) {
    fail_usage("model '{}' has no --swin-scale", flags.parity.model);
  }
  flags.parity.swin_scale = flags.swin_scale.value_or(models::kSwinScale);
  auto values = evaluation::parity_values(flags.parity);
  std::string verdict;
  const bool ok = check_known(flags.parity, values, verdict);
  if (flags.json) {
    values["tool"] = "steadyiqa";
    values["version"] = kVersion;
    values["model"] = flags.parity.model;
    values["parity"] = verdict;
    values["runtime"] = runtime_json(runtime);
    print(json_text(values, 1) + "\n");
  } else {
    print(fmt::format(
        "steadyiqa {}\nlibtorch     {}\nBLAS         {}{}\nthreads      {} ({} physical cores)\n"
        "CPU          {}\noneDNN       {}\ndevices      {}\nmatmul       {:.0f} GFLOP/s (float32, 1024x1024)\n",
        kVersion, runtime.torch_version, runtime.blas,
        runtime.blas_kernels.empty() ? "" : fmt::format(" ({} kernels)", runtime.blas_kernels), runtime.threads,
        runtime.cores, fmt::join(runtime.cpu_features, " "), runtime.onednn ? "yes" : "no",
        fmt::join(runtime.devices, " "), runtime.matmul_gflops));
    const auto& eval = values.at("eval");
    print(fmt::format("parity       {} {} {}\n             {}\n", flags.parity.model,
                      eval.contains("outputs") ? "outputs (the score last)" : "scores",
                      eval.at(eval.contains("outputs") ? "outputs" : "score").dump(), verdict));
  }
  return ok ? 0 : static_cast<int>(ErrorKind::kNumeric);
}

}  // namespace

Command add_doctor(CLI::App& app) {
  auto flags = std::make_shared<DoctorFlags>();
  auto* sub = app.add_subcommand("doctor", "check this build against the authors' values, and show what it runs on");
  sub->add_option("--model", flags->parity.model, "model of the catalogue")->capture_default_str();
  sub->add_option("--backbone", flags->parity.backbone, "its trunk");
  sub->add_option("--seed", flags->parity.seed, "seed of the hash input")->capture_default_str();
  sub->add_option("--batch", flags->parity.batch, "images")->check(CLI::Range(1, 64))->capture_default_str();
  sub->add_option("--size", flags->size, "HxW of the input, for models of any size (default 224x224)");
  sub->add_option("--swin-scale", flags->swin_scale, "maniqa: weight of a Swin layer, 0.8 (default) or 0.13");
  sub->add_flag("--json", flags->json, "all values as JSON");
  flags->runtime.add_threads(*sub);
  return {sub, [flags] { return run_doctor(*flags); }};
}

}  // namespace steadyiqa::cli
