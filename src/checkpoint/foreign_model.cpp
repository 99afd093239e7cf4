#include "checkpoint/foreign_model.h"

#include "base/error.h"
#include "checkpoint/network_tensors.h"
#include "models/compat.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

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

/// Whose preprocessing and scale the file's weights go with.
models::Compat compat_of(const Detected& model) {
  const auto origin = model.origin == Origin::kPyiqa ? models::Compat::kPyiqa : models::Compat::kOfficial;
  const bool published = std::ranges::any_of(models::compat_table(), [&](const models::CompatRow& row) {
    return row.model == model.model && row.compat == origin;
  });
  return published ? origin : models::Compat::kOurs;
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

models::ScoreScale foreign_scale(const Detected& model, const std::map<std::string, nlohmann::json>& scalars,
                                 const std::optional<stats::LabelScale>& labels) {
  auto native = models::find_compat(model.model, compat_of(model)).native;
  if (labels) {
    native = models::NativeScale{*labels};
  }
  if (!native) {
    return {.name = model.what + "'s output, on the scale of the scores it was trained on"};
  }
  if (model.model == "linearityiqa") {
    const auto k = first_number(scalars, "k");
    const auto b = first_number(scalars, "b");
    // Files saved in the middle of the training hold 1 and 0: no fit.
    if (!k || !b || (*k == 1 && *b == 0)) {
      if (labels) {
        fail_usage("LinearityIQA's output without its k and b is on no scale of labels");
      }
      return {.name = "LinearityIQA's output without its k and b"};
    }
    native->line = {*k, *b};
  }
  return models::scale_of(*native);
}

models::Scorer foreign_scorer(const Checkpoint& file, const Detected& model, const ModelChoice& choice,
                              const std::string& where) {
  const auto& info = models::find_model(model.model);
  auto options =
      models::published_options(model.model, models::resolve_backbone(info, model.backbone), compat_of(model));
  options.scale = foreign_scale(model, file.info.scalars, choice.label_scale);
  if (choice.swin_scale && !info.has_swin_scale) {
    fail_usage("model '{}' has no swin scale", info.name);
  }
  options.swin_scale = choice.swin_scale.value_or(options.swin_scale);
  auto network = models::make_network(options.model, options.backbone, options.swin_scale);
  TensorMap named;
  for (const auto& [name, tensor] : file.tensors) {
    named.insert_or_assign(own_name(model.origin, name), tensor);
  }
  set_network_tensors(*network, named, where);
  return {std::move(network), std::move(options)};
}

}  // namespace steadyiqa::checkpoint
