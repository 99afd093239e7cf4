#include "evaluation/evaluate.h"

#include "attacks/catalogue.h"
#include "base/error.h"
#include "data/loader.h"
#include "image/fidelity.h"
#include "scoring/score_set.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace steadyiqa::evaluation {
namespace {

constexpr int kSsimWindow = 11;  // a smaller image has no SSIM

/// What the file says of the regulariser it was trained with; other files' recipes are not ours to trust.
void describe_training(const nlohmann::json& recipe, Evaluation& e) {
  const auto section = recipe.value("regulariser", nlohmann::json::object());
  const auto text = [&](const char* key) { return section.value(key, std::string("?")); };
  if (section.is_object() && text("regulariser") == "nt") {
    e.regulariser = fmt::format("{}, {}, {}", text("relative-to"), text("gradient"), text("penalty"));
    e.lambda = section.value("lambda", 0.0);
  }
}

Evaluation describe(const checkpoint::LoadedModel& model, const std::string& model_path, const data::Dataset& dataset) {
  const auto& options = model.scorer.options();
  Evaluation e;
  e.model_path = model_path;
  e.model_sha256 = model.sha256;
  e.model_name = options.backbone.empty() ? options.model : options.model + "/" + options.backbone;
  e.score_name = options.scale.name;
  e.calibrated = options.scale.calibrated;
  e.calibration = options.scale.calibration;
  e.crops = models::preprocessing_text(options);
  describe_training(model.provenance.recipe, e);
  e.data_name = dataset.name;
  e.data_digest = dataset.digest();
  return e;
}

AttackDescription describe(const attacks::AttackOptions& options) {
  const auto json = options_to_json(options, attacks::attack_fields());
  return {.name = options.attack.name,
          .parameters = attacks::attack_parameters(options.attack),
          .epsilon = options.epsilon,
          .levels = attacks::budget_levels(options.epsilon),
          .direction = json.at("direction").get<std::string>(),
          .unit = json.at("unit").get<std::string>()};
}

/// Mean fidelity of the attacked pixels (one image, or each of its crops) to the clean ones.
void measure_fidelity(const models::Scorer& scorer, const torch::Tensor& pixels, const attacks::AttackResult& attack,
                      ImageResult& result) {
  torch::NoGradGuard no_grad;
  const bool whole = attack.attacked.sizes().equals(pixels.sizes());
  const auto clean = whole ? pixels : scorer.crops(pixels);
  for (std::int64_t i = 0; i < clean.size(0); ++i) {
    const auto a = data::to_image(clean[i]);
    const auto b = data::to_image(attack.attacked[i]);
    result.psnr += image::psnr(a, b) / static_cast<double>(clean.size(0));
    const bool fits = std::min(a.width, a.height) >= kSsimWindow;
    result.ssim += (fits ? image::ssim(a, b) : std::nan("")) / static_cast<double>(clean.size(0));
  }
}

}  // namespace

std::vector<Evaluation> evaluate(const checkpoint::LoadedModel& model, const std::string& model_path,
                                 const data::Dataset& dataset, const std::vector<attacks::AttackOptions>& attack_list,
                                 const Watch& watch) {
  const auto& scorer = model.scorer;
  std::vector<Evaluation> evaluations(std::max<std::size_t>(attack_list.size(), 1),
                                      describe(model, model_path, dataset));
  std::vector<std::unique_ptr<attacks::Attack>> made;
  for (std::size_t a = 0; a < attack_list.size(); ++a) {
    if (attack_list[a].direction == attacks::Direction::kMid && !scorer.options().scale.calibrated) {
      fail_input(
          "{}: not calibrated, so direction mid has no mid-point: finish its training (steadyiqa train --resume)",
          model_path);
    }
    made.push_back(attacks::make_attack(attack_list[a].attack));
    evaluations[a].attack = describe(attack_list[a]);
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& sample : dataset.samples) {
    paths.push_back(sample.path);
  }
  const auto mos = scoring::mos_0_100(dataset);
  std::vector<double> seconds(made.size(), 0.0);
  const auto raw_score = [&scorer](const torch::Tensor& x) { return scorer.raw(x); };
  const models::EvalMode eval(scorer.network());
  const auto orientation = scorer.options().input.orientation;
  scoring::for_each_image(paths, orientation, "evaluating", [&](std::int64_t i, const Result<torch::Tensor>& decoded) {
    const auto index = static_cast<std::size_t>(i);
    const auto& pixels = decoded.value();
    const auto at_clean = models::input_gradient(raw_score, pixels);
    ImageResult base;
    base.name = dataset.samples[index].name;
    base.mos = mos[index];
    base.clean_raw = at_clean.scores[0].item<double>();
    base.clean = scorer.calibrate(base.clean_raw);
    base.gradient_l1 = at_clean.gradient.abs().sum(torch::kFloat64).item<double>() *
                       std::abs(scorer.options().scale.calibration.slope);
    if (made.empty()) {
      evaluations[0].images.push_back(base);
    }
    for (std::size_t a = 0; a < made.size(); ++a) {
      const auto start = std::chrono::steady_clock::now();
      const auto attack = made[a]->run(scorer, pixels, attack_list[a]);
      seconds[a] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      auto result = base;
      result.attacked_raw = attack.attacked_raw;
      result.attacked = scorer.calibrate(attack.attacked_raw);
      result.attacked_float = scorer.calibrate(attack.float_raw);
      result.direction = attack.direction;
      result.linf_levels = attack.linf_levels;
      result.model_calls = attack.model_calls;
      measure_fidelity(scorer, pixels, attack, result);
      evaluations[a].images.push_back(result);
      if (watch) {
        watch(index, a, pixels, attack);
      }
    }
  });
  for (std::size_t a = 0; a < made.size(); ++a) {
    evaluations[a].seconds_per_image = seconds[a] / static_cast<double>(std::max<std::size_t>(paths.size(), 1));
  }
  for (auto& evaluation : evaluations) {
    const auto& native = scorer.options().scale.native;
    summarise(evaluation, native ? native->to_0_100() : dataset.scale.line_to_0_100());
  }
  return evaluations;
}

}  // namespace steadyiqa::evaluation
