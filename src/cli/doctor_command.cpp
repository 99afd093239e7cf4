#include "cli/common.h"

#include "evaluation/parity.h"
#include "models/catalogue.h"
#include "parallel/runtime.h"

#include <cmath>

namespace steadyiqa::cli {
namespace {

/// Scores of the hash-weight networks for the hash input of seed 9999 in eval mode, made with the authors' code
/// (models.md section 7).
struct KnownScores {
  const char* model;
  const char* backbone;
  std::array<double, 2> scores;
};
constexpr std::array<KnownScores, 1> kKnown = {{{"hyperiqa", "resnet50", {1.70686936, 1.65822995}}}};
constexpr double kTolerance = 1e-4;  // relative; float32 sums in another order differ by about 1e-6

struct DoctorFlags {
  evaluation::ParityOptions parity;
  std::string size;
  std::string model;
  bool json = false;
  int threads = 0;
};

nlohmann::json runtime_json(const parallel::RuntimeInfo& info) {
  return {{"libtorch", info.torch_version},
          {"blas", info.blas},
          {"threads", info.threads},
          {"physical_cores", info.cores},
          {"blas_threads", info.blas_threads},
          {"cpu_features", info.cpu_features},
          {"onednn", info.onednn},
          {"devices", info.devices},
          {"matmul_gflops", std::round(info.matmul_gflops)}};
}

/// Compares with the known scores where the options are theirs. Returns false on a mismatch.
bool check_known(const evaluation::ParityOptions& options, const nlohmann::json& values, std::string& verdict) {
  const auto& info = models::find_model(options.model);
  const auto backbone = options.backbone.empty() && !info.backbones.empty() ? info.backbones.front() : options.backbone;
  for (const auto& known : kKnown) {
    const bool applies = options.model == known.model && backbone == known.backbone && options.seed == 9999 &&
                         options.batch == 2 && options.height == 0;
    if (!applies) {
      continue;
    }
    double worst = 0;
    for (const char* kernels : {"eval", "fast_kernels"}) {
      for (std::size_t i = 0; i < known.scores.size(); ++i) {
        const double score = values.at(kernels).at("score").at(i).get<double>();
        worst = std::max(worst, std::abs(score - known.scores.at(i)) / std::abs(known.scores.at(i)));
      }
    }
    const bool ok = worst <= kTolerance;
    verdict = fmt::format("{}: largest relative difference from the authors' code {:.1e} (allowed {:.0e})",
                          ok ? "ok" : "MISMATCH", worst, kTolerance);
    return ok;
  }
  verdict = "no published value for these options; compare with another machine's output";
  return true;
}

int run_doctor(DoctorFlags flags) {
  parallel::configure_threads(flags.threads);
  if (!flags.size.empty()) {
    const auto size = parse_size(flags.size);
    flags.parity.height = size.height;
    flags.parity.width = size.width;
  }
  const auto runtime = parallel::runtime_info();
  flags.parity.model = flags.model.empty() ? "hyperiqa" : flags.model;
  auto values = evaluation::parity_values(flags.parity);
  std::string verdict;
  const bool ok = check_known(flags.parity, values, verdict);
  if (flags.json) {
    values["tool"] = "steadyiqa";
    values["version"] = kVersion;
    values["model"] = flags.parity.model;
    values["parity"] = verdict;
    values["runtime"] = runtime_json(runtime);
    print(values.dump(1) + "\n");
  } else {
    print(fmt::format(
        "steadyiqa {}\nlibtorch     {}\nBLAS         {}\nthreads      {} ({} physical cores)\n"
        "CPU          {}\noneDNN       {}\ndevices      {}\nmatmul       {:.0f} GFLOP/s (float32, 1024x1024)\n",
        kVersion, runtime.torch_version, runtime.blas, runtime.threads, runtime.cores,
        fmt::join(runtime.cpu_features, " "), runtime.onednn ? "yes" : "no", fmt::join(runtime.devices, " "),
        runtime.matmul_gflops));
    print(fmt::format("parity       {} scores {}\n             {}\n", flags.parity.model,
                      values.at("eval").at("score").dump(), verdict));
  }
  return ok ? 0 : static_cast<int>(ErrorKind::kNumeric);
}

}  // namespace

Command add_doctor(CLI::App& app) {
  auto flags = std::make_shared<DoctorFlags>();
  auto* sub = app.add_subcommand("doctor", "check this build against the authors' values, and show what it runs on");
  sub->add_option("--model", flags->model, "model of the catalogue (default hyperiqa)");
  sub->add_option("--backbone", flags->parity.backbone, "its trunk");
  sub->add_option("--seed", flags->parity.seed, "seed of the hash input")->capture_default_str();
  sub->add_option("--batch", flags->parity.batch, "images")->check(CLI::Range(1, 64))->capture_default_str();
  sub->add_option("--size", flags->size, "HxW of the input, for models of any size");
  sub->add_flag("--json", flags->json, "all values as JSON");
  sub->add_option("--threads", flags->threads, "threads of libtorch; 0 = physical cores")->check(CLI::Range(0, 1024));
  return {sub, [flags] { return run_doctor(*flags); }};
}

}  // namespace steadyiqa::cli
