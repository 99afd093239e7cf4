#include "cli/common.h"

#include "base/json_text.h"
#include "base/log.h"
#include "benchmark/cases.h"
#include "checkpoint/model_file.h"
#include "image/paths.h"
#include "parallel/device.h"
#include "parallel/runtime.h"

#include <algorithm>
#include <filesystem>

namespace steadyiqa::cli {
namespace {

struct BenchFlags {
  std::vector<std::string> paths;
  std::string model;
  std::int64_t limit = 0;
  benchmark::Repeats repeats;
  bool json = false;
  RuntimeFlags runtime;
  PreprocessingFlags preprocessing;
  AttackFlags attack;
  benchmark::NtStepOptions step;
  TableFlags regulariser;
  bool frozen = false;
  std::string precision = "float32";

  void add(CLI::App& app) {
    app.add_option("--repeats", repeats.measured, "measured runs")->check(CLI::Range(1, 100000))->capture_default_str();
    app.add_option("--warm-up", repeats.warm_up, "runs before them")->check(CLI::Range(0, 1000))->capture_default_str();
    app.add_flag("--json", json, "everything as one object");
    runtime.add(app);
  }
  void add_precision(CLI::App& app) { app.add_option("--precision", precision, kPrecisionHelp)->capture_default_str(); }
  void add_images(CLI::App& app) {
    app.add_option("PATH", paths, "image files, folders, or - for a list of paths on stdin")->required();
    app.add_option("--limit", limit, "only the first so many images")->check(CLI::NonNegativeNumber);
  }
  void add_model(CLI::App& app) {
    app.add_option("--model", model, "model file")->required();
    preprocessing.add(app);
  }
  [[nodiscard]] std::vector<std::filesystem::path> images() const {
    auto found = image::image_paths(paths);
    if (limit > 0 && static_cast<std::int64_t>(found.size()) > limit) {
      found.resize(static_cast<std::size_t>(limit));
    }
    return found;
  }
  [[nodiscard]] models::Scorer scorer() const {
    auto loaded = checkpoint::load_model(model);
    preprocessing.apply(loaded.scorer);
    loaded.scorer.use_precision(models::parse_precision(precision));
    return loaded.scorer;
  }
};

nlohmann::json machine_json(const benchmark::Peak& peak, const std::string& precision) {
  const auto info = parallel::runtime_info();
  return {{"libtorch", info.torch_version},
          {"blas_kernels", info.blas_kernels},
          {"threads", info.threads},
          {"device", parallel::device_name()},
          {"precision", precision},
          {"cpu_features", info.cpu_features},
          {"peak_fp32_gflops", peak.fp32_gflops},
          {"peak_fp32_kernel", peak.fp32_kernel},
          {"peak_bf16_gflops", peak.bf16_gflops > 0 ? nlohmann::json(peak.bf16_gflops) : nullptr}};
}

/// "name  value" of every number of the result; the images' own scores are for --json.
void print_numbers(const nlohmann::json& result, const std::string& prefix) {
  for (const auto& [key, value] : result.items()) {
    if (value.is_object()) {
      print_numbers(value, prefix + key + ".");
    } else if (value.is_number_integer()) {
      print(fmt::format("{:36} {:>14}\n", prefix + key, value.get<std::int64_t>()));
    } else if (value.is_number()) {
      print(fmt::format("{:36} {:>14.5g}\n", prefix + key, value.get<double>()));
    }
  }
}

using Case = std::function<nlohmann::json(const BenchFlags& flags, const benchmark::Peak& peak)>;

int run_bench(const std::string& name, const BenchFlags& flags, const Case& measure) {
  flags.runtime.apply();
  set_progress_mode(ProgressMode::kQuiet);  // its lines would be measured, too
  const auto peak = benchmark::measure_peak(at::get_num_threads());
  const auto result = measure(flags, peak);
  if (flags.json) {
    auto json = output_head("bench " + name, {{"repeats", flags.repeats.measured}, {"warm-up", flags.repeats.warm_up}});
    json["machine"] = machine_json(peak, flags.precision);
    json["result"] = result;
    print(json_text(json) + "\n");
    return 0;
  }
  const auto bf16 = peak.bf16_gflops > 0 ? fmt::format(", bfloat16 {:.0f}", peak.bf16_gflops) : std::string();
  print(fmt::format("{} threads, {}, {}; the processor's peak {:.0f} GFLOP/s ({}{}), measured now\n",
                    at::get_num_threads(), flags.precision, parallel::device_name(), peak.fp32_gflops, peak.fp32_kernel,
                    bf16));
  print_numbers(result, "");
  return 0;
}

nlohmann::json measure_step(const BenchFlags& flags, const benchmark::Peak& peak) {
  auto step = flags.step;
  flags.regulariser.apply("", step.regulariser, objective::regulariser_fields());
  step.precision = models::parse_precision(flags.precision);
  step.batch_norm = flags.frozen ? objective::BatchNormMode::kFrozen : objective::BatchNormMode::kTrain;
  return benchmark::nt_step(step, flags.repeats, peak);
}

nlohmann::json measure_attack(const BenchFlags& flags, const benchmark::Peak& /*peak*/) {
  const auto attacks = flags.attack.resolve();
  if (attacks.size() != 1) {
    fail_usage("bench attack measures one --attack at one --eps");
  }
  return benchmark::attack(flags.scorer(), flags.images(), attacks.front(), flags.repeats);
}

nlohmann::json measure_startup(const BenchFlags& flags, const benchmark::Peak& /*peak*/) {
  if (flags.model.empty() != flags.paths.empty()) {
    fail_usage("bench startup takes --model and one image, or neither");
  }
  const auto image = flags.paths.empty() ? std::filesystem::path() : flags.images().front();
  return benchmark::startup(std::filesystem::read_symlink("/proc/self/exe"), flags.model, image, at::get_num_threads(),
                            flags.repeats);
}

}  // namespace

std::vector<Command> add_bench(CLI::App& app) {
  auto* bench = app.add_subcommand("bench", "times the work of the other commands, beside the processor's peak");
  bench->require_subcommand(1);
  bench->footer("bench/compare runs these and the same work in plain PyTorch and onnxruntime in turns.");
  std::vector<Command> commands;
  const auto add = [&](const std::string& name, const std::string& help, const Case& measure) {
    auto flags = std::make_shared<BenchFlags>();
    auto* sub = bench->add_subcommand(name, help);
    flags->add(*sub);
    commands.push_back({sub, [name, flags, measure] { return run_bench(name, *flags, measure); }});
    return std::pair{sub, flags};
  };
  const auto [step, step_flags] = add("nt-step", "one training step, on hash weights and a hash batch", measure_step);
  step_flags->step.regulariser.regulariser = objective::RegulariserKind::kNt;
  step->add_option("--model", step_flags->step.model, "name of the network")->capture_default_str();
  step->add_option("--backbone", step_flags->step.backbone, "of the network; default: the paper's");
  step->add_option("--batch", step_flags->step.batch, "images")->check(CLI::Range(1, 4096))->capture_default_str();
  step_flags->add_precision(*step);
  step->add_flag("--frozen", step_flags->frozen, "BatchNorm by running statistics in all passes");
  step->add_flag("--checkpoint-activations", step_flags->step.checkpoint_activations,
                 "blocks of the trunk keep their input alone and run once more in each backward pass");
  step_flags->regulariser.add(*step, "", objective::regulariser_fields(), "Regulariser");

  const auto [score, score_flags] = add("score", "files to scores, decoding included, and the network alone",
                                        [](const auto& flags, const auto& peak) {
                                          return benchmark::score(flags.scorer(), flags.images(), flags.repeats, peak);
                                        });
  score_flags->add_images(*score);
  score_flags->add_model(*score);
  score_flags->add_precision(*score);

  const auto [attack, attack_flags] = add("attack", "an attack on decoded images, judging included", measure_attack);
  attack_flags->add_images(*attack);
  attack_flags->add_model(*attack);
  attack_flags->attack.add(*attack);

  const auto [decode, decode_flags] = add("decode", "files to pixels", [](const auto& flags, const auto& /*peak*/) {
    return benchmark::decode(flags.images(), flags.repeats);
  });
  decode_flags->add_images(*decode);

  const auto [startup, startup_flags] = add("startup", "a process from nothing: --version, score", measure_startup);
  startup->add_option("PATH", startup_flags->paths, "one image to score");
  startup->add_option("--model", startup_flags->model, "model file");
  return commands;
}

}  // namespace steadyiqa::cli
