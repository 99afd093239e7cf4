#include "evaluation/evaluate.h"

#include "attacks/catalogue.h"
#include "base/error.h"
#include "base/log.h"
#include "data/loader.h"
#include "image/fidelity.h"
#include "scoring/score_set.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>

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

ImageResult clean_result(const models::Scorer& scorer, const std::string& name, double mos,
                         const torch::Tensor& pixels) {
  const models::EvalMode eval(scorer.network());
  const auto at_clean = models::input_gradient([&](const torch::Tensor& x) { return scorer.raw(x); }, pixels);
  ImageResult result;
  result.name = name;
  result.mos = mos;
  result.clean_raw = at_clean.scores[0].item<double>();
  result.clean = scorer.calibrate(result.clean_raw);
  result.gradient_l1 =
      at_clean.gradient.abs().sum(torch::kFloat64).item<double>() * std::abs(scorer.options().scale.calibration.slope);
  return result;
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

namespace {

/// Each of the list, with a warning for whatever makes its result less than it seems.
std::vector<std::unique_ptr<attacks::Attack>> make_attacks(const checkpoint::LoadedModel& model,
                                                           const std::string& model_path,
                                                           const std::vector<attacks::AttackOptions>& attack_list) {
  std::vector<std::unique_ptr<attacks::Attack>> made;
  for (const auto& options : attack_list) {
    require_midpoint(model, model_path, options);
    made.push_back(attacks::make_attack(options.attack));
    warn_of_caveats(*made.back(), model.sha256);
    warn_where_not_adaptive(model_path, model.scorer.options(), options);
  }
  return made;
}

}  // namespace

std::vector<Evaluation> evaluate(const checkpoint::LoadedModel& model, const std::string& model_path,
                                 const data::Dataset& dataset, const std::vector<attacks::AttackOptions>& attack_list,
                                 const Watch& watch) {
  const auto& scorer = model.scorer;
  std::vector<Evaluation> evaluations(std::max<std::size_t>(attack_list.size(), 1),
                                      describe(model, model_path, dataset));
  const auto made = make_attacks(model, model_path, attack_list);
  for (std::size_t a = 0; a < made.size(); ++a) {
    evaluations[a].attack = describe(attack_list[a]);
    evaluations[a].adaptive = adaptive_text(scorer.options(), attack_list[a]);
  }
  const auto paths = scoring::paths_of(dataset);
  const auto mos = scoring::mos_0_100(dataset);
  std::vector<double> seconds(made.size(), 0.0);
  std::vector<std::vector<double>> targets;
  std::ranges::transform(attack_list, std::back_inserter(targets),
                         [&](const auto& options) { return attack_targets(scorer, dataset, options); });
  const auto orientation = scorer.options().input.orientation;
  scoring::for_each_image(paths, orientation, "evaluating", [&](std::int64_t i, const Result<torch::Tensor>& decoded) {
    const auto index = static_cast<std::size_t>(i);
    const auto& pixels = decoded.value();
    const auto base = clean_result(scorer, dataset.samples[index].name, mos[index], pixels);
    if (made.empty()) {
      evaluations[0].images.push_back(base);
    }
    for (std::size_t a = 0; a < made.size(); ++a) {
      const auto start = std::chrono::steady_clock::now();
      auto options = attack_list[a];
      if (!targets[a].empty()) {
        options.target = targets[a][index];
      }
      const auto attack = made[a]->run(scorer, pixels, options);
      seconds[a] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      auto result = base;
      add_attack(result, attack, scorer.options().scale.calibration);
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
    summarise(evaluation, raw_to_0_100(scorer, dataset.scale));
  }
  for (std::size_t a = 0; a < made.size(); ++a) {
    const auto& attacked = *evaluations[a].attacked;
    warn_of_training_images(attack_list[a].attack, attacked.own_training_images, evaluations[a].images.size());
  }
  return evaluations;
}

}  // namespace steadyiqa::evaluation
