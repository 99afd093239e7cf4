#include "checkpoint/model_file.h"

#include "base/digest.h"
#include "base/error.h"
#include "models/compat.h"

#include <torch/torch.h>

#include <cmath>
#include <utility>

namespace steadyiqa::checkpoint {
namespace {

constexpr const char* kMetadataKey = "steadyiqa";
constexpr std::size_t kNamesShown = 3;

std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > kNamesShown ? text + ", ..." : text;
}

std::string shape_text(const torch::Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes(), ",")); }

nlohmann::json to_json(const std::optional<models::NativeScale>& native) {
  if (!native) {
    return nullptr;
  }
  return {{"name", native->name},
          {"range", {native->min, native->max}},
          {"higher_is_better", native->higher_is_better},
          {"slope", native->line.slope},
          {"intercept", native->line.intercept}};
}

nlohmann::json to_json(const models::ScorerOptions& options) {
  nlohmann::json json = {{"model", options.model},
                         {"backbone", options.backbone},
                         {"crop", options.crop},
                         {"input", options_to_json(options.input, models::input_policy_fields())},
                         {"crops", options_to_json(options.crops, models::crop_policy_fields())},
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
}

/// What a file of format 1 says without words: pixels as PIL decodes them, no resize, crop scores averaged.
void upgrade_from_1(nlohmann::json& json) {
  models::InputPolicy input;
  input.orientation = image::Orientation::kIgnored;
  json["input"] = options_to_json(input, models::input_policy_fields());
  json.at("crops")["pooling"] = "mean";
  json["compat"] = "ours";
  json.at("score")["native"] = nullptr;
}

/// Sets every field of the table; a missing one must not quietly take this version's default.
template <class S>
void set_all(S& options, const FieldTable<S>& table, const nlohmann::json& json, const std::string& where) {
  for (const auto& f : table) {
    static_cast<void>(json.at(f.name));
  }
  options_from_json(options, table, json, where);
}

models::ScoreScale scale_from(const nlohmann::json& json) {
  models::ScoreScale scale;
  scale.name = json.at("name").get<std::string>();
  scale.calibrated = json.at("calibrated").get<bool>();
  scale.calibration = {json.at("slope").get<double>(), json.at("intercept").get<double>()};
  if (const auto& native = json.at("native"); !native.is_null()) {
    const auto range = native.at("range").get<std::array<double, 2>>();
    scale.native = {native.at("name").get<std::string>(),
                    range[0],
                    range[1],
                    native.at("higher_is_better").get<bool>(),
                    {native.at("slope").get<double>(), native.at("intercept").get<double>()}};
  }
  return scale;
}

bool in_range(const models::ScoreScale& scale) {
  const auto finite = [](const stats::Affine& line) {
    return std::isfinite(line.slope) && std::isfinite(line.intercept);
  };
  const bool native_ok = !scale.native || (finite(scale.native->line) && std::isfinite(scale.native->min) &&
                                           std::isfinite(scale.native->max) && scale.native->min < scale.native->max);
  return finite(scale.calibration) && native_ok;
}

models::ScorerOptions options_from(const nlohmann::json& json, const std::string& where) {
  models::ScorerOptions options;
  options.model = json.at("model").get<std::string>();
  options.backbone = json.at("backbone").get<std::string>();
  options.crop = json.at("crop").get<int>();
  set_all(options.input, models::input_policy_fields(), json.at("input"), where);
  set_all(options.crops, models::crop_policy_fields(), json.at("crops"), where);
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

}  // namespace

TensorMap network_tensors(const models::Network& network) {
  TensorMap tensors;
  for (auto& [name, tensor] : models::state_entries(network)) {
    tensors.emplace(name, tensor.detach());
  }
  return tensors;
}

void set_network_tensors(models::Network& network, const TensorMap& tensors, const std::string& where) {
  torch::NoGradGuard no_grad;
  std::vector<std::string> missing;
  std::vector<std::string> mismatched;
  std::vector<std::string> unexpected;
  const auto own = network_tensors(network);
  for (const auto& [name, tensor] : own) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      missing.push_back(name);
    } else if (!found->second.sizes().equals(tensor.sizes())) {
      mismatched.push_back(name + " " + shape_text(found->second) + " for " + shape_text(tensor));
    }
  }
  for (const auto& [name, tensor] : tensors) {
    if (own.count(name) == 0) {
      unexpected.push_back(name);
    }
  }
  if (!missing.empty() || !unexpected.empty() || !mismatched.empty()) {
    fail_input("{}: not the weights of this model: {} missing ({}), {} unexpected ({}), {} of another shape ({})",
               where, missing.size(), some_of(missing), unexpected.size(), some_of(unexpected), mismatched.size(),
               some_of(mismatched));
  }
  for (const auto& [name, tensor] : tensors) {
    if (tensor.is_floating_point() && !torch::isfinite(tensor).all().item<bool>()) {
      fail_input("{}: tensor {} holds values that are not finite", where, name);
    }
    own.at(name).copy_(tensor);
  }
}

void save_model(const std::filesystem::path& path, const models::Scorer& scorer, const Provenance& provenance) {
  SafetensorsFile file;
  file.tensors = network_tensors(scorer.network());
  nlohmann::json metadata = to_json(scorer.options());
  metadata["format"] = kModelFormat;
  metadata["recipe"] = provenance.recipe;
  metadata["training"] = provenance.training;
  file.metadata[kMetadataKey] = metadata.dump();
  write_safetensors(path, file);
}

LoadedModel load_model(const std::filesystem::path& path) {
  const auto where = path.string();
  auto file = read_safetensors(path);
  const auto entry = file.metadata.find(kMetadataKey);
  if (entry == file.metadata.end()) {
    fail_input("{}: a safetensors file, but not a SteadyIQA model (no '{}' metadata)", where, kMetadataKey);
  }
  try {
    auto json = nlohmann::json::parse(entry->second);
    const auto& written = json.at("format");
    const std::int64_t format = written.is_number_integer() ? written.get<std::int64_t>() : 0;
    if (format < 1) {
      fail_input("{}: broken '{}' metadata: its format is no positive integer", where, kMetadataKey);
    }
    if (format > kModelFormat) {
      fail_input("{}: written by a newer SteadyIQA (format {}, this one reads {})", where, format, kModelFormat);
    }
    if (format == 1) {
      upgrade_from_1(json);
    }
    auto options = options_from(json, where);
    auto network = models::make_network(options.model, options.backbone, options.swin_scale);
    set_network_tensors(*network, file.tensors, where);
    Provenance provenance{json.value("recipe", nlohmann::json::object()),
                          json.value("training", nlohmann::json::object())};
    return {models::Scorer(std::move(network), std::move(options)), std::move(provenance), sha256_file(path)};
  } catch (const nlohmann::json::exception& error) {
    fail_input("{}: broken '{}' metadata: {}", where, kMetadataKey, error.what());
  } catch (const Error& error) {
    // An unknown model name in a file is the file's fault, not the user's, and says which file.
    const std::string message = error.what();
    const bool named = message.rfind(one_line(where), 0) == 0;
    throw Error(ErrorKind::kInput, named ? message : where + ": " + message);
  }
}

Initial load_initial(models::Network& network, const std::filesystem::path& path) {
  if (read_safetensors_header(path).metadata.count(kMetadataKey) == 0) {
    load_trunk(network, path);
    return Initial::kTrunk;
  }
  set_network_tensors(network, read_safetensors(path).tensors, path.string());
  return Initial::kModel;
}

void load_trunk(models::Network& network, const std::filesystem::path& path) {
  torch::NoGradGuard no_grad;
  if (network.trunk_prefix().empty()) {
    fail_input("{}: this model has no pretrained trunk to load", path.string());
  }
  const auto file = read_safetensors(path);
  std::vector<std::string> missing;
  std::int64_t copied = 0;
  for (const auto& [name, tensor] : network_tensors(network)) {
    const auto trunk_name = network.trunk_name(name);
    if (trunk_name.empty()) {
      continue;
    }
    const auto found = file.tensors.find(trunk_name);
    if (found != file.tensors.end() && found->second.sizes().equals(tensor.sizes())) {
      tensor.copy_(found->second);
      ++copied;
    } else if (name.find("num_batches_tracked") == std::string::npos) {
      missing.push_back(trunk_name);
    }
  }
  if (!missing.empty()) {
    fail_input("{}: not this trunk's weights: {} tensors missing or of another shape ({}), {} match", path.string(),
               missing.size(), some_of(missing), copied);
  }
}

}  // namespace steadyiqa::checkpoint
