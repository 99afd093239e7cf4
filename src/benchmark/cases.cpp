#include "benchmark/cases.h"

#include "attacks/catalogue.h"
#include "models/catalogue.h"
#include "models/cost.h"
#include "models/hash_weights.h"
#include "parallel/device.h"
#include "parallel/runtime.h"
#include "scoring/score_set.h"
#include "training/optimiser.h"

#include <torch/torch.h>

#include <optional>
#include <utility>

namespace steadyiqa::benchmark {
namespace {

constexpr std::uint32_t kInputSeed = 9999;  // doctor's
constexpr double kGiga = 1e9;

nlohmann::json result_of(const std::vector<double>& seconds) {
  return {{"seconds", seconds_json(seconds)}, {"peak_memory_bytes", peak_memory_bytes()}};
}

/// Adds what `gflop` of useful work in so many seconds mean. The peak is the processor's.
void add_rate(nlohmann::json& json, double gflop, double seconds, double peak_gflops) {
  json["gflops"] = gflop / seconds;
  if (parallel::device().is_cpu()) {
    json["share_of_peak"] = gflop / seconds / peak_gflops;
  }
}

double peak_of(const Peak& peak, models::Precision precision) {
  return precision == models::Precision::kBfloat16 ? peak.bf16_gflops : peak.fp32_gflops;
}

double forward_gflop(models::Network& network, const torch::Tensor& x) {
  return 2.0 * static_cast<double>(models::multiply_adds(network, x)) / kGiga;
}

}  // namespace

double step_cost(const objective::RegulariserOptions& options, objective::BatchNormMode batch_norm) {
  using objective::NormGradient;
  constexpr double kForwardAndBackward = 3;
  if (options.regulariser == objective::RegulariserKind::kNone) {
    return kForwardAndBackward;
  }
  const bool own_clean_pass =
      options.clean_pass == objective::CleanPass::kSeparate ||
      (batch_norm == objective::BatchNormMode::kTrain && options.batch_norm == objective::BatchNormMode::kFrozen);
  const double loss = own_clean_pass ? kForwardAndBackward : 0;
  // Without the layers' gradients, which are there; a pass of the loss's own takes them itself.
  const double clean = options.clean_pass == objective::CleanPass::kReused && !own_clean_pass ? 1 : 2;
  switch (options.gradient) {
    case NormGradient::kExact:
      return loss + 2 + 6;  // the input gradient's pass; the tangent pass, which carries the clean one
    case NormGradient::kCentral:
      return loss + 2 + 2 * kForwardAndBackward + (own_clean_pass ? 0 : clean);
    case NormGradient::kAlternating:
    case NormGradient::kFiniteDifference:
      break;
  }
  return loss + 2 + clean + kForwardAndBackward;
}

nlohmann::json nt_step(const NtStepOptions& options, const Repeats& repeats, const Peak& peak) {
  const auto& info = models::find_model(options.model);
  const auto network = models::make_network(options.model, options.backbone);
  models::fill_hash_weights(*network);
  const auto device = parallel::device();
  network->to(device);
  const auto x = parallel::to_layout(models::hash_input(kInputSeed, options.batch, info.crop, info.crop).to(device));
  const auto mos = (torch::arange(options.batch, torch::kFloat32) * 10).to(device);
  const double gflop = step_cost(options.regulariser, options.batch_norm) * forward_gflop(*network, x);

  training::OptimiserSection section;
  section.batch_norm = options.batch_norm;
  training::Optimiser optimiser(*network, section);
  objective::ObjectiveOptions objective_options;
  objective_options.regulariser = options.regulariser;
  objective_options.channel_std = info.normalisation.std;
  models::check_precision(options.precision, *network);
  objective_options.precision = options.precision;
  objective_options.checkpoint_activations = options.checkpoint_activations;
  const double lambda =
      options.regulariser.regulariser == objective::RegulariserKind::kNone ? 0 : options.regulariser.lambda;
  network->train();
  std::optional<models::FrozenBatchNorm> frozen;
  if (options.batch_norm == objective::BatchNormMode::kFrozen) {
    frozen.emplace(*network);
  }
  const parallel::OneBlasThread one_thread(!models::mostly_products(*network));
  nlohmann::json first;
  const auto seconds = time_runs(repeats, [&](std::int64_t run) {
    optimiser.zero_grad();
    const auto step = objective::training_objective(*network, x, mos, objective_options, lambda);
    objective::add_parameter_gradients(step, *network);
    optimiser.step();
    parallel::wait_for_device();
    if (run == 0) {
      first = {{"loss", step.loss}, {"penalty", step.penalty}, {"gradient_norm", step.mean_gradient_norm}};
    }
  });
  auto json = result_of(seconds);
  json["images_per_second"] = static_cast<double>(options.batch) / median(seconds);
  json["gflop_per_step"] = gflop;
  json["first_step"] = first;
  add_rate(json, gflop, median(seconds), peak_of(peak, options.precision));
  return json;
}

nlohmann::json score(const models::Scorer& scorer, std::span<const std::filesystem::path> images,
                     const Repeats& repeats, const Peak& peak) {
  const torch::NoGradGuard no_grad;
  const auto orientation = scorer.options().input.orientation;
  auto scores = nlohmann::json::array();
  torch::Tensor first;
  const auto seconds = time_runs(repeats, [&](std::int64_t run) {
    scoring::for_each_image(images, orientation, "scoring", [&](std::int64_t i, const Result<torch::Tensor>& pixels) {
      const auto& image = pixels.value();
      const double value = scorer.score(image)[0].item<double>();
      if (run == 0) {
        scores.push_back({{"image", images[static_cast<std::size_t>(i)].string()}, {"score", value}});
        first = i == 0 ? image : first;
      }
    });
  });
  const auto crops = scorer.crops(first);
  const auto network = time_runs(repeats, [&](std::int64_t /*run*/) { static_cast<void>(scorer.raw_of_crops(crops)); });
  auto json = result_of(seconds);
  json["images_per_second"] = static_cast<double>(images.size()) / median(seconds);
  json["images"] = std::move(scores);
  json["network"] = {{"batch", crops.size(0)}, {"side", {crops.size(2), crops.size(3)}}};
  json["network"]["seconds"] = seconds_json(network);
  const auto one = forward_gflop(scorer.network(), scorer.normalise(crops.slice(0, 0, 1)));
  add_rate(json["network"], static_cast<double>(crops.size(0)) * one, median(network),
           peak_of(peak, scorer.precision()));
  return json;
}

nlohmann::json attack(const models::Scorer& scorer, std::span<const std::filesystem::path> images,
                      const attacks::AttackOptions& options, const Repeats& repeats) {
  const auto attack = attacks::make_attack(options.attack);
  std::vector<torch::Tensor> pixels;
  scoring::for_each_image(
      images, scorer.options().input.orientation, "decoding",
      [&](std::int64_t /*i*/, const Result<torch::Tensor>& image) { pixels.push_back(image.value()); });
  auto rows = nlohmann::json::array();
  std::int64_t calls = 0;
  const auto seconds = time_runs(repeats, [&](std::int64_t run) {
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const auto result = attack->run(scorer, pixels[i], options);
      if (run == 0) {
        calls += result.model_calls;
        rows.push_back({{"image", images[i].string()},
                        {"score", scorer.calibrate(result.clean_raw)},
                        {"attacked", scorer.calibrate(result.attacked_raw)}});
      }
    }
  });
  auto json = result_of(seconds);
  const auto count = static_cast<double>(images.size());
  json["images_per_second"] = count / median(seconds);
  json["seconds_per_image"] = median(seconds) / count;
  json["model_calls_per_image"] = static_cast<double>(calls) / count;
  json["images"] = std::move(rows);
  return json;
}

nlohmann::json decode(std::span<const std::filesystem::path> images, const Repeats& repeats) {
  double megapixels = 0;
  const auto seconds = time_runs(repeats, [&](std::int64_t run) {
    scoring::for_each_image(images, image::Orientation::kApplied, "decoding",
                            [&](std::int64_t /*i*/, const Result<torch::Tensor>& pixels) {
                              const auto& image = pixels.value();
                              if (run == 0) {
                                megapixels += static_cast<double>(image.size(2) * image.size(3)) / 1e6;
                              }
                            });
  });
  auto json = result_of(seconds);
  json["images_per_second"] = static_cast<double>(images.size()) / median(seconds);
  json["megapixels_per_second"] = megapixels / median(seconds);
  return json;
}

nlohmann::json startup(const std::filesystem::path& program, const std::filesystem::path& model,
                       const std::filesystem::path& image, int threads, const Repeats& repeats) {
  const auto measured = [&](const std::vector<std::string>& command) -> nlohmann::json {
    std::int64_t memory = 0;
    const auto seconds = time_runs(
        repeats, [&](std::int64_t /*run*/) { memory = std::max(memory, run_child(command).peak_memory_bytes); });
    return {{"seconds", seconds_json(seconds)}, {"peak_memory_bytes", memory}};
  };
  nlohmann::json json = {{"version", measured({program.string(), "--version"})}};
  if (!model.empty()) {
    json["score"] = measured(
        {program.string(), "score", "--threads", std::to_string(threads), "--model", model.string(), image.string()});
  }
  return json;
}

}  // namespace steadyiqa::benchmark
