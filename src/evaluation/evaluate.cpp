#include "evaluation/evaluate.h"

#include "attacks/catalogue.h"
#include "base/error.h"
#include "base/log.h"
#include "data/loader.h"
#include "evaluation/run.h"
#include "image/fidelity.h"
#include "parallel/device.h"
#include "scoring/score_set.h"

#include <torch/torch.h>

#include <algorithm>
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

}  // namespace

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
  e.device = parallel::device_name();
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

std::string adaptive_text(const models::ScorerOptions& victim, const attacks::AttackOptions& options) {
  const auto box = attacks::find_attack(options.attack.name).box;
  if (victim.purification.empty() || box == attacks::Box::kBlack) {
    return kNoneNeeded;
  }
  if (box == attacks::Box::kTransfer) {
    return fmt::format("{}, made for other models", kNotAdaptive);
  }
  if (options.adaptive == attacks::Adaptive::kOff) {
    return kNotAdaptive;
  }
  std::vector<std::string> parts;
  if (const auto passed = models::straight_through(victim.purification); !passed.empty()) {
    parts.push_back(fmt::format("BPDA ({})", fmt::join(passed, ", ")));
  }
  if (models::is_random(victim.purification)) {
    parts.push_back(fmt::format("EOT {} draws", options.eot_draws));
  }
  return parts.empty() ? "true gradient" : fmt::format("{}", fmt::join(parts, ", "));
}

void warn_where_not_adaptive(const std::string& model_path, const models::ScorerOptions& victim,
                             const attacks::AttackOptions& options) {
  if (const auto text = adaptive_text(victim, options); text.starts_with(kNotAdaptive)) {
    log_warning("{}: purified, and attack '{}' takes no account of it ({}): its result flatters the model", model_path,
                options.attack.name, text);
  }
}

void require_midpoint(const checkpoint::LoadedModel& model, const std::string& model_path,
                      const attacks::AttackOptions& options) {
  if (options.direction == attacks::Direction::kMid && !model.scorer.options().scale.calibrated) {
    fail_input("{}: not calibrated, so direction mid has no mid-point: finish its training (steadyiqa train --resume)",
               model_path);
  }
}

void warn_of_caveats(const attacks::Attack& attack, const std::string& victim_sha256) {
  for (const auto& line : attack.caveats(victim_sha256)) {
    log_warning("{}", line);
  }
}

void warn_of_training_images(const attacks::AttackSpec& attack, std::int64_t count, std::size_t images) {
  if (count > 0) {
    log_warning("{}: {} of the {} attacked images are its own training images (own_training_image in the results)",
                attack.text(), count, images);
  }
}

std::vector<double> attack_targets(const models::Scorer& scorer, const data::Dataset& dataset,
                                   const attacks::AttackOptions& options) {
  const auto& info = attacks::find_attack(options.attack.name);
  if (!info.targets) {
    return {};
  }
  auto scores = scoring::raw_scores(scorer, dataset, "scoring the set");
  for (auto& score : scores) {
    score = scorer.calibrate(score);
  }
  return info.targets(scores, options.attack.parameters, static_cast<std::uint64_t>(options.seed));
}

CleanImage clean_image(const models::Scorer& scorer, const std::string& name, double mos, const torch::Tensor& pixels) {
  const models::EvalMode eval(scorer.network());
  const auto at_clean = models::input_gradient([&](const torch::Tensor& x) { return scorer.raw(x); }, pixels);
  ImageResult result;
  result.name = name;
  result.mos = mos;
  result.clean_raw = at_clean.scores[0].item<double>();
  result.clean = scorer.calibrate(result.clean_raw);
  const double slope = scorer.options().scale.calibration.slope;
  result.gradient_l1 = at_clean.gradient.abs().sum(torch::kFloat64).item<double>() * std::abs(slope);
  return {result, at_clean.gradient * slope};
}

void add_attack(ImageResult& result, const attacks::AttackResult& attack, const stats::Affine& calibration) {
  result.attacked_raw = attack.attacked_raw;
  result.attacked = calibration(attack.attacked_raw);
  result.attacked_float = calibration(attack.float_raw);
  result.direction = attack.direction;
  result.linf_levels = attack.linf_levels;
  result.model_calls = attack.model_calls;
  result.own_training_image = attack.own_training_image;
  result.mse = (attack.attacked - attack.clean).square().mean().item<double>();
  const auto count = static_cast<double>(attack.clean.size(0));
  for (std::int64_t i = 0; i < attack.clean.size(0); ++i) {
    const auto a = data::to_image(attack.clean[i]);
    const auto b = data::to_image(attack.attacked[i]);
    result.psnr += image::psnr(a, b) / count;
    const bool fits = std::min(a.width, a.height) >= kSsimWindow;
    result.ssim += (fits ? image::ssim(a, b) : std::nan("")) / count;
  }
}

stats::Affine raw_to_0_100(const models::Scorer& scorer, const stats::LabelScale& labels) {
  const auto& native = scorer.options().scale.native;
  return native ? native->to_0_100() : labels.line_to_0_100();
}

std::vector<Evaluation> evaluate(const checkpoint::LoadedModel& model, const std::string& model_path,
                                 const data::Dataset& dataset, const std::vector<attacks::AttackOptions>& attack_list,
                                 const Watch& watch) {
  ResultStore store;
  return collect(store, fill(store, model, model_path, dataset, unnamed_protocol(attack_list), {.watch = watch}));
}

std::vector<Evaluation> collect(ResultStore& store, const StoredPlan& plan) {
  auto evaluations = store.evaluations(plan);
  for (const auto& e : evaluations) {
    if (e.attacked) {
      warn_of_training_images({e.attack->name, e.attack->parameters}, e.attacked->own_training_images, e.images.size());
    }
  }
  return evaluations;
}

}  // namespace steadyiqa::evaluation
