#include "cli/common.h"

#include "base/json_text.h"
#include "checkpoint/checkpoint_file.h"

namespace steadyiqa::cli {
namespace {

constexpr std::size_t kMaxShown = 100;  // characters of one value

struct InspectFlags {
  std::string path;
  bool json = false;
};

/// Its first characters, in one line.
std::string cut(const std::string& text) {
  return one_line(text.size() > kMaxShown ? text.substr(0, kMaxShown) + "..." : text);
}

std::uint64_t total_bytes(const checkpoint::CheckpointInfo& info) {
  std::uint64_t total = 0;
  for (const auto& [name, tensor] : info.tensors) {
    total += checkpoint::byte_count(tensor.shape, tensor.dtype).value_or(0);
  }
  return total;
}

/// The purification that our own metadata name, unchecked; empty where there is none.
std::vector<std::string> purification_of(const checkpoint::CheckpointInfo& info) {
  const auto entry = info.metadata.find(checkpoint::kModelMetadata);
  if (entry == info.metadata.end()) {
    return {};
  }
  const auto json = nlohmann::json::parse(entry->second, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> texts;
  if (json.is_object() && json.contains("purification") && json.at("purification").is_array()) {
    for (const auto& step : json.at("purification")) {
      texts.push_back(step.is_string() ? step.get<std::string>() : json_text(step));
    }
  }
  return texts;
}

nlohmann::json as_json(const checkpoint::CheckpointInfo& info, const std::string& path) {
  auto json = output_head("inspect", nlohmann::json::object());
  json["file"] = path;
  json["container"] = info.container;
  json["wrapping"] = info.wrapping;
  json["holds"] = nullptr;
  if (info.detected) {
    const auto& detected = *info.detected;
    json["holds"] = {{"what", detected.what}, {"model", detected.model}, {"backbone", detected.backbone}};
  }
  json["purification"] = purification_of(info);
  json["bytes"] = total_bytes(info);
  json["tensors"] = nlohmann::json::object();
  for (const auto& [name, tensor] : info.tensors) {
    json["tensors"][name] = {{"dtype", checkpoint::find_dtype(tensor.dtype)->name}, {"shape", tensor.shape}};
  }
  json["scalars"] = info.scalars;
  json["metadata"] = info.metadata;
  json["others"] = info.others;
  return json;
}

void print_text(const checkpoint::CheckpointInfo& info) {
  std::string text = fmt::format("container  {}\n", info.container);
  if (!info.wrapping.empty()) {
    text += fmt::format("wrapping   {}\n", cut(fmt::format("{}", fmt::join(info.wrapping, " "))));
  }
  text += fmt::format("holds      {}\n", info.detected ? info.detected->what : "no model that is known here");
  if (const auto steps = purification_of(info); !steps.empty()) {
    text += fmt::format("purifies   {}\n", cut(fmt::format("{}", fmt::join(steps, " + "))));
  }
  text += fmt::format("tensors    {}, {} bytes\n", info.tensors.size(), total_bytes(info));
  for (const auto& [name, tensor] : info.tensors) {
    text += fmt::format("  {:4} {:16} {}\n", checkpoint::find_dtype(tensor.dtype)->name,
                        checkpoint::shape_text(tensor.shape), cut(name));
  }
  const auto list = [&](const char* title, const auto& entries, const auto& value_text) {
    if (!entries.empty()) {
      text += fmt::format("{}\n", title);
    }
    for (const auto& [name, value] : entries) {
      text += fmt::format("  {} = {}\n", cut(name), cut(value_text(value)));
    }
  };
  list("scalars", info.scalars, [](const nlohmann::json& value) { return json_text(value); });
  list("metadata", info.metadata, [](const std::string& value) { return value; });
  list("not read", info.others, [](const std::string& value) { return value; });
  print(text);
}

int run_inspect(const InspectFlags& flags) {
  const auto info = checkpoint::inspect_checkpoint(flags.path);
  if (flags.json) {
    print(json_text(as_json(info, flags.path), 1) + "\n");
  } else {
    print_text(info);
  }
  return 0;
}

}  // namespace

Command add_inspect(CLI::App& app) {
  auto flags = std::make_shared<InspectFlags>();
  auto* sub = app.add_subcommand("inspect", "what a model file or checkpoint holds, without running anything in it");
  sub->add_option("FILE", flags->path, "safetensors or PyTorch file (zip or legacy)")->required();
  sub->add_flag("--json", flags->json, "as JSON");
  return {sub, [flags] { return run_inspect(*flags); }};
}

}  // namespace steadyiqa::cli
