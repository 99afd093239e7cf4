#include "checkpoint/model_file.h"

#include "base/digest.h"
#include "base/error.h"
#include "models/compat.h"

#include <torch/torch.h>

#include <cmath>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

nlohmann::json to_json(const std::optional<models::NativeScale>& native) {
  if (!native) {
    return nullptr;
  }
  const auto& labels = native->labels;
  return {{"name", labels.name},
          {"range", {labels.min, labels.max}},
          {"higher_is_better", labels.direction == stats::Direction::kHigherIsBetter},
          {"slope", native->line.slope},
          {"intercept", native->line.intercept}};
}

nlohmann::json to_json(const models::ScorerOptions& options) {
  nlohmann::json json = {{"model", options.model},
                         {"backbone", options.backbone},
                         {"crop", options.crop},
                         {"purification", models::purification_texts(options.purification)},
                         {"input", options_to_json(options.input, image::input_policy_fields())},
                         {"crops", options_to_json(options.crops, image::crop_policy_fields())},
                         {"compat", models::compat_names().at(static_cast<std::size_t>(options.compat))},
                         {"mean", options.normalisation.mean},
                         {"std", options.normalisation.std},
                         {"score",
                          {{"name", options.scale.name},
                           {"calibrated", options.scale.calibrated},
                           {"slope", options.scale.calibration.slope},
                           {"intercept", options.scale.calibration.intercept},
                           {"range", {0, 100}},
                           {"higher_is_better", true},
                           {"native", to_json(options.scale.native)}}}};
  if (models::find_model(options.model).has_swin_scale) {
    json["swin_scale"] = options.swin_scale;
  }
  return json;
}

/// What a file of format 1 says without words: pixels as PIL decodes them, no resize, crop scores averaged.
void upgrade_from_1(nlohmann::json& json) {
  image::InputPolicy input;
  input.orientation = image::Orientation::kIgnored;
  json["input"] = options_to_json(input, image::input_policy_fields());
  json.at("crops")["pooling"] = "mean";
  json["compat"] = "ours";
  json.at("score")["native"] = nullptr;
}

/// A step must give all its options: a missing one must not quietly take this version's default.
std::vector<models::Purifier> purification_from(const nlohmann::json& json, const std::string& where) {
  const auto texts = json.get<std::vector<std::string>>();
  std::vector<models::Purifier> chain;
  for (const auto& text : texts) {
    chain.push_back(models::parse_purifier(text));
    if (const auto whole = models::purifier_text(chain.back()); whole != text) {
      fail_input("{}: purifier '{}' is not all of '{}'", where, text, whole);
    }
  }
  return chain;
}

models::ScoreScale scale_from(const nlohmann::json& json) {
  models::ScoreScale scale;
  scale.name = json.at("name").get<std::string>();
  scale.calibrated = json.at("calibrated").get<bool>();
  scale.calibration = {json.at("slope").get<double>(), json.at("intercept").get<double>()};
  if (const auto& native = json.at("native"); !native.is_null()) {
    const auto range = native.at("range").get<std::array<double, 2>>();
    const bool higher = native.at("higher_is_better").get<bool>();
    const auto direction = higher ? stats::Direction::kHigherIsBetter : stats::Direction::kLowerIsBetter;
    scale.native = {{range[0], range[1], direction, native.at("name").get<std::string>()},
                    {native.at("slope").get<double>(), native.at("intercept").get<double>()}};
  }
  return scale;
}

bool in_range(const models::ScoreScale& scale) {
  const auto finite = [](const stats::Affine& line) {
    return std::isfinite(line.slope) && std::isfinite(line.intercept);
  };
  if (!scale.native) {
    return finite(scale.calibration);
  }
  const auto& labels = scale.native->labels;
  return finite(scale.calibration) && finite(scale.native->line) && std::isfinite(labels.min) &&
         std::isfinite(labels.max) && labels.min < labels.max;
}

models::ScorerOptions options_from(const nlohmann::json& json, const std::string& where) {
  models::ScorerOptions options;
  options.model = json.at("model").get<std::string>();
  options.backbone = json.at("backbone").get<std::string>();
  options.crop = json.at("crop").get<int>();
  options.purification = purification_from(json.at("purification"), where);
  all_options_from_json(options.input, image::input_policy_fields(), json.at("input"), where);
  all_options_from_json(options.crops, image::crop_policy_fields(), json.at("crops"), where);
  options.compat = models::compat_from(json.at("compat").get<std::string>());
  options.normalisation.mean = json.at("mean").get<std::array<double, 3>>();
  options.normalisation.std = json.at("std").get<std::array<double, 3>>();
  options.scale = scale_from(json.at("score"));
  const auto& info = models::find_model(options.model);
  const bool crop_ok = options.crop == info.crop || (info.any_size && options.crop >= 32 && options.crop <= 4096);
  bool std_ok = true;
  for (const double value : options.normalisation.std) {
    std_ok = std_ok && value > 0;
  }
  if (info.has_swin_scale) {
    options.swin_scale = json.at("swin_scale").get<double>();
    if (!std::isfinite(options.swin_scale)) {
      fail_input("{}: its swin_scale is no finite number", where);
    }
  }
  if (!crop_ok || !std_ok || !in_range(options.scale)) {
    fail_input("{}: its crop side, normalisation or calibration is out of range", where);
  }
  return options;
}

/// Digests of 16 hex digits, one after the other.
std::vector<std::string> training_images_from(const std::string& text, const std::string& where) {
  constexpr std::size_t kDigits = 16;
  if (text.size() % kDigits != 0 || text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    fail_input("{}: its training_images are no digests of {} hex digits each", where, kDigits);
  }
  std::vector<std::string> digests;
  for (std::size_t start = 0; start < text.size(); start += kDigits) {
    digests.push_back(text.substr(start, kDigits));
  }
  return digests;
}

/// The model that our own metadata describe.
LoadedModel own_model(nlohmann::json json, const TensorMap& tensors, const std::filesystem::path& path) {
  const auto where = path.string();
  const auto& written = json.at("format");
  const std::int64_t format = written.is_number_integer() ? written.get<std::int64_t>() : 0;
  if (format < 1) {
    fail_input("{}: broken '{}' metadata: its format is no positive integer", where, kModelMetadata);
  }
  if (format > kModelFormat) {
    fail_input("{}: written by a newer SteadyIQA (format {}, this one reads {})", where, format, kModelFormat);
  }
  if (format == 1) {
    upgrade_from_1(json);
  }
  if (format <= 2) {
    json["purification"] = nlohmann::json::array();  // files of then purify nothing
  }
  auto options = options_from(json, where);
  auto network = models::make_network(options.model, options.backbone, options.swin_scale);
  set_network_tensors(*network, tensors, where);
  Provenance provenance{json.value("recipe", nlohmann::json::object()),
                        json.value("training", nlohmann::json::object()),
                        training_images_from(json.value("training_images", std::string()), where)};
  return {models::Scorer(std::move(network), std::move(options)), std::move(provenance), sha256_file(path)};
}

LoadedModel ready(LoadedModel model) {
  model.scorer.fold_batch_norm();
  return model;
}

}  // namespace

SafetensorsFile model_contents(const models::Scorer& scorer, const Provenance& provenance) {
  SafetensorsFile file;
  file.tensors = network_tensors(scorer.network());
  nlohmann::json metadata = to_json(scorer.options());
  metadata["format"] = kModelFormat;
  metadata["recipe"] = provenance.recipe;
  metadata["training"] = provenance.training;
  if (!provenance.training_images.empty()) {
    metadata["training_images"] = fmt::format("{}", fmt::join(provenance.training_images, ""));
  }
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
      if (!choice.is_empty()) {
        fail_usage("{}: says itself what it is; a model, backbone, swin scale or labels are for files that do not",
                   where);
      }
      return ready(own_model(nlohmann::json::parse(entry->second), file.tensors, path));
    }
    const auto model = identify_model(file.info, choice, where);
    auto sha256 = sha256_file(path);
    Provenance provenance;
    provenance.training = {{"converted_from", {{"holds", model.what}, {"sha256", sha256}}}};
    return ready({foreign_scorer(file, model, choice, where), std::move(provenance), std::move(sha256)});
  } catch (const nlohmann::json::exception& error) {
    fail_input("{}: broken '{}' metadata: {}", where, kModelMetadata, error.what());
  } catch (const Error& error) {
    // An unknown model name in a file is the file's fault, not the user's, and says which file.
    const std::string message = error.what();
    const bool named = message.rfind(one_line(where), 0) == 0;
    const bool users_fault = error.kind() == ErrorKind::kUsage && !choice.is_empty();
    throw Error(users_fault ? ErrorKind::kUsage : ErrorKind::kInput, named ? message : where + ": " + message);
  }
}

}  // namespace steadyiqa::checkpoint
