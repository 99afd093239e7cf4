#include "checkpoint/model_file.h"

#include "base/digest.h"
#include "base/error.h"

#include <torch/torch.h>

#include <cmath>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

nlohmann::json to_json(const models::ScorerOptions& options) {
  return {{"model", options.model},
          {"backbone", options.backbone},
          {"crop", options.crop},
          {"crops", options_to_json(options.crops, models::crop_policy_fields())},
          {"mean", options.normalisation.mean},
          {"std", options.normalisation.std},
          {"score",
           {{"name", options.scale.name},
            {"calibrated", options.scale.calibrated},
            {"slope", options.scale.calibration.slope},
            {"intercept", options.scale.calibration.intercept},
            {"range", {0, 100}},
            {"higher_is_better", true}}}};
}

models::ScorerOptions options_from(const nlohmann::json& json, const std::string& where) {
  models::ScorerOptions options;
  options.model = json.at("model").get<std::string>();
  options.backbone = json.at("backbone").get<std::string>();
  options.crop = json.at("crop").get<int>();
  const auto& crops = json.at("crops");
  for (const auto& f : models::crop_policy_fields()) {
    static_cast<void>(crops.at(f.name));  // a missing one must not quietly take this version's default
  }
  options_from_json(options.crops, models::crop_policy_fields(), crops, where);
  options.normalisation.mean = json.at("mean").get<std::array<double, 3>>();
  options.normalisation.std = json.at("std").get<std::array<double, 3>>();
  const auto& score = json.at("score");
  options.scale.name = score.at("name").get<std::string>();
  options.scale.calibrated = score.at("calibrated").get<bool>();
  options.scale.calibration = {score.at("slope").get<double>(), score.at("intercept").get<double>()};
  const auto& info = models::find_model(options.model);
  const bool crop_ok = options.crop == info.crop || (info.any_size && options.crop >= 32 && options.crop <= 4096);
  bool std_ok = true;
  for (const double value : options.normalisation.std) {
    std_ok = std_ok && value > 0;
  }
  if (!crop_ok || !std_ok || !std::isfinite(options.scale.calibration.slope)) {
    fail_input("{}: its crop side, normalisation or calibration is out of range", where);
  }
  return options;
}

/// The model that our own metadata describe.
LoadedModel own_model(const nlohmann::json& json, const TensorMap& tensors, const std::filesystem::path& path) {
  const auto where = path.string();
  const auto& format = json.at("format");
  if (!format.is_number_integer() || format.get<std::int64_t>() < 1) {
    fail_input("{}: broken '{}' metadata: its format is no positive integer", where, kModelMetadata);
  }
  if (format.get<std::int64_t>() > kModelFormat) {
    fail_input("{}: written by a newer SteadyIQA (format {}, this one reads {})", where, format.get<std::int64_t>(),
               kModelFormat);
  }
  auto options = options_from(json, where);
  auto network = models::make_network(options.model, options.backbone);
  set_network_tensors(*network, tensors, where);
  Provenance provenance{json.value("recipe", nlohmann::json::object()),
                        json.value("training", nlohmann::json::object())};
  return {models::Scorer(std::move(network), std::move(options)), std::move(provenance), sha256_file(path)};
}

}  // namespace

SafetensorsFile model_contents(const models::Scorer& scorer, const Provenance& provenance) {
  SafetensorsFile file;
  file.tensors = network_tensors(scorer.network());
  nlohmann::json metadata = to_json(scorer.options());
  metadata["format"] = kModelFormat;
  metadata["recipe"] = provenance.recipe;
  metadata["training"] = provenance.training;
  file.metadata[kModelMetadata] = metadata.dump();
  return file;
}

void save_model(const std::filesystem::path& path, const models::Scorer& scorer, const Provenance& provenance) {
  write_safetensors(path, model_contents(scorer, provenance));
}

LoadedModel load_model(const std::filesystem::path& path, const ModelChoice& choice) {
  return load_model(read_checkpoint(path), path, choice);
}

LoadedModel load_model(Checkpoint file, const std::filesystem::path& path, const ModelChoice& choice) {
  const auto where = path.string();
  try {
    const auto entry = file.info.metadata.find(kModelMetadata);
    if (entry != file.info.metadata.end()) {
      return own_model(nlohmann::json::parse(entry->second), file.tensors, path);
    }
    const auto model = identify_model(file.info, choice, where);
    auto sha256 = sha256_file(path);
    Provenance provenance;
    provenance.training = {{"converted_from", {{"holds", model.what}, {"sha256", sha256}}}};
    return {foreign_scorer(file, model, where), std::move(provenance), std::move(sha256)};
  } catch (const nlohmann::json::exception& error) {
    fail_input("{}: broken '{}' metadata: {}", where, kModelMetadata, error.what());
  } catch (const Error& error) {
    // An unknown model name in a file is the file's fault, not the user's, and says which file.
    const std::string message = error.what();
    const bool named = message.rfind(one_line(where), 0) == 0;
    const bool users_fault = error.kind() == ErrorKind::kUsage && !choice.model.empty();
    throw Error(users_fault ? ErrorKind::kUsage : ErrorKind::kInput, named ? message : where + ": " + message);
  }
}

}  // namespace steadyiqa::checkpoint
