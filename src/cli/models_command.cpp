#include "cli/common.h"

#include "base/json_text.h"
#include "models/catalogue.h"
#include "models/cost.h"
#include "models/hash_weights.h"

namespace steadyiqa::cli {
namespace {

constexpr std::int64_t kSide = 224;  // of the input that costs are counted at

struct ModelsFlags {
  std::string model;
  bool json = false;
  RuntimeFlags runtime;
};

nlohmann::json cost_json(const models::ModelInfo& info, const std::string& backbone) {
  const auto network = models::make_network(info.name, backbone);
  const auto macs = models::multiply_adds(*network, models::hash_input(1, 1, kSide, kSide));
  return {{"backbone", backbone},
          {"parameters", models::parameter_count(*network)},
          {"gmac", static_cast<double>(macs) / 1e9}};
}

nlohmann::json model_json(const models::ModelInfo& info) {
  nlohmann::json json = {{"name", info.name},
                         {"help", info.help},
                         {"paper", info.paper},
                         {"code", info.code},
                         {"code_licence", info.code_licence},
                         {"weights_licence", info.weights_licence},
                         {"score_range", info.score_range},
                         {"native_input", info.native_input},
                         {"recipe", info.recipe},
                         {"crop", info.crop},
                         {"any_size", info.any_size},
                         {"mean", info.normalisation.mean},
                         {"std", info.normalisation.std}};
  for (const auto& backbone : info.backbones.empty() ? std::vector<std::string>{""} : info.backbones) {
    json["backbones"].push_back(cost_json(info, backbone));
  }
  return json;
}

std::string model_text(const nlohmann::json& json) {
  const auto text = [&json](const char* key) { return json.at(key).get<std::string>(); };
  auto out = fmt::format("{}  {}\n", text("name"), text("help"));
  for (const auto& row : json.at("backbones")) {
    const auto backbone = row.at("backbone").get<std::string>();
    out += fmt::format("  {:<18}{:>8.1f} M parameters {:>9.3f} GMAC\n", backbone.empty() ? "(one network)" : backbone,
                       row.at("parameters").get<double>() / 1e6, row.at("gmac").get<double>());
  }
  out += fmt::format("  input      crops of {0}x{0}{1}; the authors: {2}\n", json.at("crop").get<int>(),
                     json.at("any_size").get<bool>() ? " or any size" : " only", text("native_input"));
  out += fmt::format("  score      {}\n  recipe     {}\n  paper      {}\n", text("score_range"), text("recipe"),
                     text("paper"));
  out += fmt::format("  code       {} ({})\n  weights    {}\n\n", text("code"), text("code_licence"),
                     text("weights_licence"));
  return out;
}

int run_models(const ModelsFlags& flags) {
  flags.runtime.apply();
  if (!flags.model.empty()) {
    static_cast<void>(models::find_model(flags.model));
  }
  auto list = nlohmann::json::array();
  for (const auto& info : models::model_catalogue()) {
    if (!flags.model.empty() && info.name != flags.model) {
      continue;
    }
    list.push_back(model_json(info));
    if (!flags.json) {
      print(model_text(list.back()));
    }
  }
  if (flags.json) {
    auto output = output_head("models", {{"model", flags.model}});
    output["input"] = {1, 3, kSide, kSide};
    output["models"] = list;
    print(json_text(output, 1) + "\n");
  } else {
    print(fmt::format("GMAC: 10^9 multiply-adds of convolutions and matrix products, counted at 1x3x{0}x{0}\n", kSide));
  }
  return 0;
}

}  // namespace

Command add_models(CLI::App& app) {
  auto flags = std::make_shared<ModelsFlags>();
  auto* sub = app.add_subcommand("models", "list models, backbones, what they cost, score ranges, sources, licences");
  sub->add_option("model", flags->model, "this model only");
  sub->add_flag("--json", flags->json, "all facts as JSON");
  flags->runtime.add_threads(*sub);
  return {sub, [flags] { return run_models(*flags); }};
}

}  // namespace steadyiqa::cli
