#include "training/run_directory.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json_text.h"

#include <torch/torch.h>

#include <sstream>
#include <utility>

namespace steadyiqa::training {
namespace {

constexpr const char* kNetworkPrefix = "network.";
constexpr const char* kOptimiserPrefix = "optimiser.";
constexpr const char* kAveragePrefix = "average.";

void add_prefixed(checkpoint::TensorMap& into, const std::string& prefix, const checkpoint::TensorMap& from) {
  for (const auto& [name, tensor] : from) {
    into.emplace(prefix + name, tensor);
  }
}

checkpoint::TensorMap without_prefix(const checkpoint::TensorMap& from, const std::string& prefix) {
  checkpoint::TensorMap found;
  for (const auto& [name, tensor] : from) {
    if (name.rfind(prefix, 0) == 0) {
      found.emplace(name.substr(prefix.size()), tensor);
    }
  }
  return found;
}

/// The first key whose value differs, as "section.key", for an error message.
std::string first_difference(const nlohmann::json& a, const nlohmann::json& b) {
  const auto patch = nlohmann::json::diff(a, b);
  return patch.empty() ? "" : patch.front().at("path").get<std::string>();
}

}  // namespace

RunDirectory::RunDirectory(std::filesystem::path dir, bool resume, const nlohmann::json& identity)
    : dir_(std::move(dir)), identity_(identity) {
  const bool holds_run = std::filesystem::exists(dir_ / "recipe.toml");
  if (holds_run && !resume) {
    fail_usage("{} already holds a run: continue it with --resume or name another directory", dir_.string());
  }
  std::error_code error;
  std::filesystem::create_directories(dir_, error);
  if (error) {
    fail_input("cannot create {}: {}", dir_.string(), error.message());
  }
}

std::optional<RunDirectory::Saved> RunDirectory::saved() const {
  if (!std::filesystem::exists(state_file())) {
    return std::nullopt;
  }
  const auto where = state_file().string();
  const auto file = checkpoint::read_safetensors(state_file());
  const auto entry = file.metadata.find("state");
  if (entry == file.metadata.end()) {
    fail_input("{}: not a training state", where);
  }
  try {
    const auto json = nlohmann::json::parse(entry->second);
    if (json.at("identity") != identity_) {
      fail_usage(
          "{}: the run was started with another recipe or data ({} differs): resume with the same, or start a new run",
          where, first_difference(json.at("identity"), identity_));
    }
    Saved saved;
    saved.position.epochs_done = json.at("epochs_done").get<std::int64_t>();
    saved.position.best_epoch = json.at("best_epoch").get<std::int64_t>();
    saved.position.finished = json.at("finished").get<bool>();
    if (!json.at("best_srocc").is_null()) {
      saved.position.best_srocc = json.at("best_srocc").get<double>();
    }
    saved.network = without_prefix(file.tensors, kNetworkPrefix);
    saved.optimiser = without_prefix(file.tensors, kOptimiserPrefix);
    saved.average = without_prefix(file.tensors, kAveragePrefix);
    return saved;
  } catch (const nlohmann::json::exception& error) {
    fail_input("{}: broken training state: {}", where, error.what());
  }
}

void RunDirectory::save_state(const Saved& state) const {
  checkpoint::SafetensorsFile file;
  add_prefixed(file.tensors, kNetworkPrefix, state.network);
  add_prefixed(file.tensors, kOptimiserPrefix, state.optimiser);
  add_prefixed(file.tensors, kAveragePrefix, state.average);
  const nlohmann::json json = {{"identity", identity_},
                               {"epochs_done", state.position.epochs_done},
                               {"best_epoch", state.position.best_epoch},
                               {"best_srocc", state.position.best_srocc},  // -inf is written as null
                               {"finished", state.position.finished}};
  file.metadata["state"] = json.dump();
  checkpoint::write_safetensors(state_file(), file);
}

void RunDirectory::trim_log(std::int64_t epochs_done) const {
  const auto path = dir_ / "log.jsonl";
  if (!std::filesystem::exists(path)) {
    return;
  }
  std::istringstream lines(read_text_file(path));
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    // A line cut short by a crash does not parse and goes, too.
    if (json.is_object() && json.value("epoch", epochs_done) < epochs_done) {
      kept += line + "\n";
    }
  }
  write_file_atomic(path, kept);
}

void RunDirectory::log(const nlohmann::json& line) const { append_line(dir_ / "log.jsonl", json_text(line)); }

}  // namespace steadyiqa::training
