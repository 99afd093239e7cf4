#include "exporting/export_model.h"

#include "base/error.h"
#include "exporting/lowering.h"
#include "exporting/trace.h"
#include "models/conv_norm.h"

#include <torch/torch.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace steadyiqa::exporting {
namespace {

/// While it lives, no parameter of the module requires a gradient: a trace can then take them as constants.
class WithoutGradients {
 public:
  explicit WithoutGradients(const torch::nn::Module& module) {
    for (auto& parameter : module.parameters()) {
      if (parameter.requires_grad()) {
        changed_.push_back(parameter.requires_grad_(false));
      }
    }
  }
  ~WithoutGradients() {
    for (auto& parameter : changed_) {
      parameter.requires_grad_(true);
    }
  }
  WithoutGradients(const WithoutGradients&) = delete;
  WithoutGradients& operator=(const WithoutGradients&) = delete;
  WithoutGradients(WithoutGradients&&) = delete;
  WithoutGradients& operator=(WithoutGradients&&) = delete;

 private:
  std::vector<torch::Tensor> changed_;
};

void check_size(const models::ScorerOptions& model, std::int64_t height, std::int64_t width) {
  const std::int64_t crop = model.crop;
  if (models::find_model(model.model).any_size || (height == crop && width == crop)) {
    return;
  }
  fail_usage("{} takes {}x{} pixels only, not {}x{}", model.model, crop, crop, height, width);
}

Metadata metadata_of(const models::ScorerOptions& model, const ExportOptions& options, const std::string& size) {
  const auto& scale = model.scale;
  const auto text = [](const nlohmann::json& json) { return json.dump(); };
  return {
      {"steadyiqa.version", options.tool_version},
      {"steadyiqa.model", model.model},
      {"steadyiqa.backbone", model.backbone},
      {"steadyiqa.model_sha256", options.model_sha256},
      {"steadyiqa.input", "pixels: float32 RGB in [0,1], N x 3 x " + size},
      {"steadyiqa.crop_side", text(model.crop)},
      {"steadyiqa.crop_policy", text(options_to_json(model.crops, image::crop_policy_fields()))},
      {"steadyiqa.input_policy", text(options_to_json(model.input, image::input_policy_fields()))},
      {"steadyiqa.crop_aggregation", "mean of the crops' scores; crops are placed by the caller"},
      {"steadyiqa.normalisation", text({{"mean", model.normalisation.mean}, {"std", model.normalisation.std}})},
      {"steadyiqa.normalisation_inside", "true"},
      {"steadyiqa.score_name", scale.name},
      {"steadyiqa.score_range", "[0,100]"},
      {"steadyiqa.higher_is_better", "true"},
      {"steadyiqa.calibrated", text(scale.calibrated)},
      {"steadyiqa.calibration", text({{"slope", scale.calibration.slope}, {"intercept", scale.calibration.intercept}})},
  };
}

}  // namespace

ExportedModel export_onnx(const models::Scorer& scorer, const ExportOptions& options) {
  const auto& model = scorer.options();
  if (!model.purification.empty()) {
    fail_usage("the model purifies images first ({}), which an ONNX graph cannot: take it out by convert --purify none",
               fmt::join(models::purification_texts(model.purification), " + "));
  }
  ExportedModel exported;
  exported.height = options.height == 0 ? model.crop : options.height;
  exported.width = options.width == 0 ? model.crop : options.width;
  check_size(model, exported.height, exported.width);
  const models::EvalMode eval(scorer.network());
  const models::UnfoldedBatchNorm layers(scorer.network());  // under their names
  const WithoutGradients constants(scorer.network());
  const auto& line = model.scale.calibration;
  auto traces = trace(
      [&](const torch::Tensor& pixels) {
        const auto raw = scorer.network().forward(scorer.normalise(pixels));
        return std::vector<torch::Tensor>{raw * line.slope + line.intercept, raw};
      },
      options.batch, {3, exported.height, exported.width});
  traces.outputs = {"score", "raw"};
  for (const auto& [name, tensor] : models::state_entries(scorer.network())) {
    traces.names.emplace(tensor.data_ptr(), name);
  }
  exported.metadata = metadata_of(model, options, fmt::format("{} x {}", exported.height, exported.width));
  exported.bytes = lower(traces).serialise(options.tool_version, exported.metadata);
  return exported;
}

}  // namespace steadyiqa::exporting
