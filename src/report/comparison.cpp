#include "report/comparison.h"

#include "base/error.h"
#include "report/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <tuple>

namespace steadyiqa::report {
namespace {

using evaluation::AttackDescription;
using evaluation::Evaluation;

bool same_model(const Evaluation& a, const Evaluation& b) {
  return std::tie(a.model_path, a.model_sha256, a.model_name) == std::tie(b.model_path, b.model_sha256, b.model_name);
}

/// The file's name without folder and extension; the model's name when it came from no file.
std::string short_label(const Evaluation& e) {
  const std::string stem = std::filesystem::path(e.model_path).stem().string();
  return one_line(!stem.empty() ? stem : !e.model_name.empty() ? e.model_name : "model");
}

std::string long_label(const Evaluation& e) {
  const std::string folder = std::filesystem::path(e.model_path).parent_path().filename().string();
  return folder.empty() ? short_label(e) : one_line(folder) + "/" + short_label(e);
}

bool labels_clash(const std::vector<ModelResults>& models) {
  std::vector<std::string> labels;
  labels.reserve(models.size());
  for (const auto& model : models) {
    labels.push_back(model.label);
  }
  std::ranges::sort(labels);
  return std::ranges::adjacent_find(labels) != labels.end();
}

/// One crop policy, or each model's own.
std::string crops_text(const std::vector<ModelResults>& models) {
  const std::string& crops = models.front().first().crops;
  const bool same = std::ranges::all_of(models, [&](const auto& model) { return model.first().crops == crops; });
  if (same) {
    return crops.empty() ? "not stated" : crops;
  }
  std::string text;
  for (const auto& model : models) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", model.label, model.first().crops);
  }
  return text;
}

}  // namespace

const Evaluation* ModelResults::under(const AttackDescription& attack) const {
  for (const auto* e : evaluations) {
    if (e->attacked && e->attack == attack) {
      return e;
    }
  }
  return nullptr;
}

void require_same_images(std::span<const Evaluation> evaluations) {
  if (evaluations.empty()) {
    fail_usage("report: there is no evaluation to show");
  }
  for (const auto& e : evaluations) {
    require_same_images(evaluations.front(), e);
  }
}

void require_same_images(const Evaluation& a, const Evaluation& b) {
  if (a.data_name != b.data_name || a.data_digest != b.data_digest || a.images.size() != b.images.size()) {
    fail_usage("report: '{}' was evaluated on other images ('{}', {}) than '{}' ('{}', {}): no comparison",
               b.model_path, b.data_name, b.images.size(), a.model_path, a.data_name, a.images.size());
  }
}

std::vector<ModelResults> group_by_model(std::span<const Evaluation> evaluations) {
  std::vector<ModelResults> models;
  for (const auto& e : evaluations) {
    const auto found = std::ranges::find_if(models, [&](const auto& model) { return same_model(model.first(), e); });
    if (found == models.end()) {
      models.push_back({short_label(e), {&e}});
    } else {
      found->evaluations.push_back(&e);
    }
  }
  if (labels_clash(models)) {
    for (auto& model : models) {
      model.label = long_label(model.first());
    }
  }
  if (labels_clash(models)) {
    for (std::size_t i = 0; i < models.size(); ++i) {
      models[i].label = fmt::format("{} {}", i + 1, models[i].label);
    }
  }
  return models;
}

std::vector<AttackDescription> list_attacks(std::span<const Evaluation> evaluations) {
  std::vector<AttackDescription> attacks;
  for (const auto& e : evaluations) {
    if (e.attack && std::ranges::find(attacks, *e.attack) == attacks.end()) {
      attacks.push_back(*e.attack);
    }
  }
  return attacks;
}

std::string footer(const std::vector<ModelResults>& models, std::size_t width) {
  std::string calibrated;
  std::string raw;
  for (const auto& model : models) {
    std::string& list = model.first().calibrated ? calibrated : raw;
    list += (list.empty() ? "" : ", ") + model.label;
  }
  const Evaluation& first = models.front().first();
  std::string out = wrap("↑ higher is better, ↓ lower is better, - no value", width);
  if (!calibrated.empty()) {
    out += wrap(fmt::format("scores calibrated to 0-100 on the training set, higher is better{}",
                            raw.empty() ? "" : " (" + calibrated + ")"),
                width);
  }
  if (!raw.empty()) {
    out +=
        wrap(fmt::format("!!! NOT calibrated ({}): raw network scores; points, RMSE and R are not comparable !!!", raw),
             width);
  }
  out += wrap("crops: " + crops_text(models), width);
  std::set<std::string> devices;
  for (const auto& model : models) {
    devices.insert(model.first().device);
  }
  out +=
      wrap(fmt::format("data: {}, {} {}; device {}, float32", first.data_name.empty() ? "?" : first.data_name,
                       first.images.size(), first.images.size() == 1 ? "image" : "images", fmt::join(devices, " and ")),
           width);
  for (const auto& model : models) {
    const Evaluation& e = model.first();
    if (const auto done = static_cast<std::int64_t>(e.images.size()); done < e.expected_images) {
      out +=
          wrap(fmt::format("!!! NOT FINISHED ({}): {} of {} images !!!", model.label, done, e.expected_images), width);
    }
  }
  if (!first.protocol_digest.empty()) {
    out += wrap(fmt::format("protocol: {}, digest {}", first.protocol.empty() ? "none, by flags" : first.protocol,
                            first.protocol_digest.substr(0, 12)),
                width);
  }
  return out;
}

}  // namespace steadyiqa::report
