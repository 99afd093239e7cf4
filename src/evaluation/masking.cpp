#include "evaluation/masking.h"

#include "attacks/catalogue.h"
#include "base/error.h"
#include "evaluation/evaluate.h"
#include "evaluation/result.h"
#include "models/network.h"
#include "scoring/score_set.h"
#include "stats/robustness.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace steadyiqa::evaluation {
namespace {

/// Everything that one image tells.
struct Findings {
  double random = 0, fgsm = 0, few_steps = 0, many_steps = 0, wide = 0, black = 0;  ///< change in points, by direction
  double gradient_error = 0;  ///< of the derivative along the gradient's sign, relative
  bool no_gradient = false;
  double repeat = 0;  ///< difference of two scores of the same image
  double spread = 0;  ///< standard deviation of its score over draws that are not the scorer's
  double rho = 0;
};

/// Whether `strong` is not weaker than `weak` by more than what rounding explains.
bool not_weaker(double strong, double weak) {
  constexpr double kShare = 0.01;
  constexpr double kPoints = 0.05;
  return strong >= weak - std::max(kPoints, kShare * std::abs(weak));
}

/// What a model's purification makes of the checks.
struct Nature {
  std::vector<std::string> straight_through;
  bool random = false;

  /// Over which the derivative is looked for, [0,1] pixels. Small steps drown in float32 rounding, large ones leave the
  /// linear part; below a level a straight-through step does not move at all.
  [[nodiscard]] std::vector<double> steps() const {
    constexpr double kLevel = 1.0 / 255.0;
    return straight_through.empty() ? std::vector<double>{1e-5, 3e-5, 1e-4, 3e-4, 1e-3}
                                    : std::vector<double>{kLevel, 2 * kLevel, 4 * kLevel, 8 * kLevel};
  }
};

class Examination {
 public:
  Examination(const models::Scorer& scorer, const MaskingOptions& options, const Nature& nature)
      : scorer_(scorer), options_(options), nature_(nature) {}

  [[nodiscard]] Findings examine(const torch::Tensor& pixels) const {
    Findings f;
    f.random = change("random", pixels, options_.epsilon);
    f.fgsm = change("fgsm", pixels, options_.epsilon);
    f.few_steps = change("ifgsm:steps=10", pixels, options_.epsilon);
    const auto many = fmt::format("ifgsm:steps={}", options_.steps);
    f.many_steps = change(many, pixels, options_.epsilon);
    f.wide = change(many, pixels, std::min(2 * options_.epsilon, 1.0));
    f.black = change(fmt::format("square:queries={}", options_.queries), pixels, options_.epsilon);
    look_at_gradient(pixels, f);
    return f;
  }

 private:
  /// How far the attack moves the calibrated score in its direction.
  [[nodiscard]] double change(const std::string& attack, const torch::Tensor& pixels, double epsilon) const {
    const attacks::AttackOptions options{.attack = attacks::AttackSpec::parse(attack),
                                         .epsilon = epsilon,
                                         .direction = attacks::Direction::kMid,
                                         .seed = options_.seed};
    const auto result = attacks::make_attack(options.attack)->run(scorer_, pixels, options);
    return result.direction * (scorer_.calibrate(result.attacked_raw) - scorer_.calibrate(result.clean_raw));
  }

  void look_at_gradient(const torch::Tensor& pixels, Findings& f) const {
    const torch::NoGradGuard no_grad;
    const models::EvalMode eval(scorer_.network());
    const auto score = [&](const torch::Tensor& x) { return scorer_.calibrate(scorer_.raw(x)[0].item<double>()); };
    const auto at = models::input_gradient([&](const torch::Tensor& x) { return scorer_.raw(x); }, pixels);
    const double norm =
        at.gradient.abs().sum(torch::kFloat64).item<double>() * std::abs(scorer_.options().scale.calibration.slope);
    const double clean = score(pixels);
    f.repeat = std::abs(score(pixels) - clean);
    f.spread = spread_over_draws(pixels);
    f.no_gradient = norm == 0.0;
    if (f.no_gradient) {
      return;
    }
    const auto way = at.gradient.sign();
    const double sign = scorer_.options().scale.calibration.slope < 0 ? -1.0 : 1.0;
    f.gradient_error = smallest_error(
        [&](double h) { return sign * (score(pixels + h * way) - score(pixels - h * way)) / (2 * h) / norm - 1.0; });
    const double eps = options_.epsilon;
    f.rho = std::abs(score(pixels + eps * way) - clean) / (eps * norm);
  }

  [[nodiscard]] double spread_over_draws(const torch::Tensor& pixels) const {
    if (!nature_.random) {
      return 0;
    }
    constexpr std::int64_t kDraws = 8;
    const auto first = models::draws(scorer_.options().purification);
    std::vector<double> scores;
    for (std::int64_t draw = first; draw < first + kDraws; ++draw) {
      scores.push_back(scorer_.calibrate(scorer_.raw_of_draw(pixels, draw)[0].item<double>()));
    }
    return stats::spread(scores);
  }

  [[nodiscard]] double smallest_error(const std::function<double(double)>& relative_error) const {
    double smallest = std::numeric_limits<double>::infinity();
    for (const double h : nature_.steps()) {
      smallest = std::min(smallest, std::abs(relative_error(h)));
    }
    return smallest;
  }

  const models::Scorer& scorer_;
  const MaskingOptions& options_;
  const Nature& nature_;
};

template <class Test>
double share(const std::vector<Findings>& all, const Test& test) {
  return static_cast<double>(std::ranges::count_if(all, test)) / static_cast<double>(all.size());
}

template <class Value>
std::vector<double> values(const std::vector<Findings>& all, const Value& value) {
  std::vector<double> out;
  std::ranges::transform(all, std::back_inserter(out), value);
  return out;
}

/// What the derivative's error is said to be.
std::string gradient_meaning(const Nature& nature) {
  const std::string meaning = "median relative error of the derivative along the gradient's sign";
  return nature.straight_through.empty()
             ? meaning
             : fmt::format("{}, over 1 to 8 levels: a straight-through gradient ({}) is not the score's own", meaning,
                           fmt::join(nature.straight_through, ", "));
}

std::vector<MaskingCheck> checks_of(const std::vector<Findings>& all, const Nature& nature) {
  // Nine images of ten: a single search may end in a worse corner than a weaker one.
  constexpr double kMost = 0.9;
  constexpr double kGradientError = 0.1;
  std::vector<MaskingCheck> checks;
  const auto most = [&](const char* name, const char* meaning, const auto& test) {
    checks.push_back({name, share(all, test), kMost, true, meaning});
  };
  most("white box >= black box", "share of images where I-FGSM moves the score as far as Square",
       [](const Findings& f) { return not_weaker(std::max(f.many_steps, f.few_steps), f.black); });
  most("more steps >= fewer", "share of images",
       [](const Findings& f) { return not_weaker(f.many_steps, f.few_steps); });
  most("twice the budget >= the budget", "share of images",
       [](const Findings& f) { return not_weaker(f.wide, f.many_steps); });
  most("FGSM >= random signs", "share of images", [](const Findings& f) { return not_weaker(f.fgsm, f.random); });
  checks.push_back({"gradient = finite difference",
                    stats::percentile(values(all, [](const Findings& f) { return f.gradient_error; }), 50.0),
                    kGradientError, false, gradient_meaning(nature)});
  checks.push_back({"images without a gradient", share(all, [](const Findings& f) { return f.no_gradient; }), 0.0,
                    false, "share of images"});
  checks.push_back({"scores repeat", std::ranges::max(values(all, [](const Findings& f) { return f.repeat; })), 0.0,
                    false, "largest difference of two scores of one image, points"});
  if (nature.random) {
    const auto spreads = values(all, [](const Findings& f) { return f.spread; });
    checks.push_back({"spread over other draws", std::ranges::max(spreads), 0.0, true,
                      "largest standard deviation of one draw's score of an image, points; draws repeat by image"});
  }
  const double rho = stats::mean(values(all, [](const Findings& f) { return f.rho; }));
  checks.push_back(
      {"rho at the budget", rho, 0.0, true, "mean |f(x + eps sign g) - f(x)| / (eps ||g||_1); 1 = linear"});
  return checks;
}

}  // namespace

bool MaskingReport::is_clear() const {
  return std::ranges::all_of(checks, [](const MaskingCheck& check) { return check.holds(); });
}

MaskingReport masking_report(const checkpoint::LoadedModel& model, const std::string& model_path,
                             const data::Dataset& dataset, const MaskingOptions& options) {
  require_midpoint(model, model_path, {});
  if (dataset.samples.empty()) {
    fail_input("{}: a masking report needs images", dataset.name);
  }
  const auto paths = scoring::paths_of(dataset);
  const auto& purification = model.scorer.options().purification;
  const Nature nature{models::straight_through(purification), models::is_random(purification)};
  const Examination examination(model.scorer, options, nature);
  std::vector<Findings> all;
  scoring::for_each_image(paths, model.scorer.options().input.orientation, "looking for masked gradients",
                          [&](std::int64_t, const Result<torch::Tensor>& pixels) {
                            if (!pixels) {
                              fail_input("{}", pixels.error());
                            }
                            all.push_back(examination.examine(pixels.value()));
                          });
  return {model_path, static_cast<std::int64_t>(all.size()), options.epsilon, adaptive_text(model.scorer.options(), {}),
          checks_of(all, nature)};
}

nlohmann::json to_json(const MaskingReport& report) {
  auto checks = nlohmann::json::array();
  for (const auto& check : report.checks) {
    checks.push_back({{"name", check.name},
                      {"value", number_or_null(check.value)},
                      {check.at_least ? "at_least" : "at_most", check.required},
                      {"holds", check.holds()},
                      {"meaning", check.meaning}});
  }
  return {{"model", report.model_path},  {"images", report.images},    {"eps_px", report.epsilon},
          {"adaptive", report.adaptive}, {"clear", report.is_clear()}, {"checks", checks}};
}

MaskingReport masking_report_from(const nlohmann::json& json) {
  MaskingReport report;
  report.model_path = json.at("model").get<std::string>();
  report.images = json.at("images").get<std::int64_t>();
  report.epsilon = json.at("eps_px").get<double>();
  report.adaptive = json.at("adaptive").get<std::string>();
  for (const auto& check : json.at("checks")) {
    const bool at_least = check.contains("at_least");
    const auto& value = check.at("value");
    report.checks.push_back({.name = check.at("name").get<std::string>(),
                             .value = value.is_null() ? std::nan("") : value.get<double>(),
                             .required = check.at(at_least ? "at_least" : "at_most").get<double>(),
                             .at_least = at_least,
                             .meaning = check.at("meaning").get<std::string>()});
  }
  return report;
}

}  // namespace steadyiqa::evaluation
