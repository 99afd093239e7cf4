#include "checkpoint/foreign_model.h"

#include "base/error.h"
#include "checkpoint/network_tensors.h"

#include <cmath>
#include <optional>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

constexpr double kUnitToPoints = 100;  // from a score in [0,1] to [0,100]

/// The first of LinearityIQA's three numbers: those of its final score.
std::optional<double> first_number(const std::map<std::string, nlohmann::json>& scalars, const char* key) {
  const auto found = scalars.find(key);
  if (found == scalars.end()) {
    return std::nullopt;
  }
  const auto& value = found->second;
  const auto* first = value.is_array() && !value.empty() ? &value.front() : &value;
  const auto number = first->is_number() ? std::optional(first->get<double>()) : std::nullopt;
  return number && std::isfinite(*number) ? number : std::nullopt;
}

models::ScoreScale linearity_scale(const std::map<std::string, nlohmann::json>& scalars) {
  const auto k = first_number(scalars, "k");
  const auto b = first_number(scalars, "b");
  // Files saved in the middle of the training hold 1 and 0: no fit.
  if (!k || !b || (*k == 1 && *b == 0)) {
    return {.name = "LinearityIQA's output without its k and b"};
  }
  return {.name = "LinearityIQA as published: k x + b", .calibration = {*k, *b}, .calibrated = true};
}

}  // namespace

Detected identify_model(const CheckpointInfo& info, const ModelChoice& choice, const std::string& where) {
  auto model = info.detected.value_or(Detected{});
  if (!choice.model.empty() && choice.model != model.model) {
    model = {choice.model, choice.model, ""};
  }
  if (!choice.backbone.empty()) {
    model.backbone = choice.backbone;
  }
  if (model.model.empty()) {
    fail_input("{}: not a SteadyIQA model, and its {} tensors are none of a model known here{}", where,
               info.tensors.size(), model.what.empty() ? "" : " but " + model.what);
  }
  return model;
}

models::ScoreScale foreign_scale(const Detected& model, const std::map<std::string, nlohmann::json>& scalars) {
  if (model.origin == Origin::kPyiqa) {
    return {.name = "100 x pyiqa's score", .calibration = {kUnitToPoints, 0}, .calibrated = true};
  }
  if (model.model == "linearityiqa") {
    return linearity_scale(scalars);
  }
  if (model.model == "maniqa") {
    return {.name = "100 x MANIQA's score", .calibration = {kUnitToPoints, 0}, .calibrated = true};
  }
  return {.name = model.what + "'s output, on the scale of the scores it was trained on"};
}

models::ScorerOptions foreign_scorer_options(const Detected& model,
                                             const std::map<std::string, nlohmann::json>& scalars) {
  const auto& info = models::find_model(model.model);
  models::ScorerOptions options;
  options.model = model.model;
  options.backbone = model.backbone.empty() && !info.backbones.empty() ? info.backbones.front() : model.backbone;
  options.crop = info.crop;
  options.normalisation = info.normalisation;
  options.scale = foreign_scale(model, scalars);
  if (model.model == "hyperiqa") {
    options.crops = {.kind = models::CropKind::kGrid, .count = 25};
  }
  return options;
}

models::Scorer foreign_scorer(const Checkpoint& file, const Detected& model, const std::string& where) {
  auto options = foreign_scorer_options(model, file.info.scalars);
  auto network = models::make_network(options.model, options.backbone);
  TensorMap named;
  for (const auto& [name, tensor] : file.tensors) {
    named.insert_or_assign(own_name(model.origin, name), tensor);
  }
  set_network_tensors(*network, named, where);
  return {std::move(network), std::move(options)};
}

}  // namespace steadyiqa::checkpoint
