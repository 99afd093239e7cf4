#include "report/report_document.h"

#include "base/base64.h"
#include "base/error.h"
#include "base/json_text.h"
#include "evaluation/statistics.h"
#include "image/image.h"
#include "report/comparison.h"
#include "report/picture.h"
#include "report/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace steadyiqa::report {
namespace {

using evaluation::Evaluation;
using evaluation::ResultStore;
using evaluation::StoredPlan;
using nlohmann::json;

/// A model's part of the store.
struct Model {
  const StoredPlan* plan = nullptr;
  std::string label;
  std::vector<Evaluation> evaluations;
};

json attack_json(const Evaluation& e, const Evaluation* first, const DocumentOptions& options) {
  auto whole = evaluation::to_json(e, /*images=*/false);
  json attack = whole.at("attack");
  const auto parameters = json_text(e.attack->parameters);
  attack["text"] =
      fmt::format("{}{}", e.attack->name, e.attack->parameters.empty() ? "" : fmt::format(" {}", parameters));
  attack["measures"] = whole.at("attacked");
  attack["intervals"] = evaluation::to_json(evaluation::estimates(e, options.bootstrap));
  attack["differences"] =
      first == nullptr ? json(nullptr) : evaluation::to_json(evaluation::differences(*first, e, options.bootstrap));
  attack["distribution"] = evaluation::to_json(evaluation::distribution_change(e));
  if (!attack.contains("seconds_per_image")) {
    attack["seconds_per_image"] = nullptr;
  }
  return attack;
}

json theory_json(ResultStore& store, const StoredPlan& plan) {
  auto list = json::array();
  for (const auto& at : evaluation::theory(store, plan)) {
    auto item = evaluation::to_json(at);
    auto& points = item["points"] = json::array();
    for (const auto& point : evaluation::theory_points(store, plan, at.epsilon)) {
      points.push_back({{"image", point.image},
                        {"x", point.gradient_change},
                        {"y", std::max(std::abs(point.row.change_up), std::abs(point.row.change_down))}});
    }
    list.push_back(std::move(item));
  }
  return list;
}

json model_json(ResultStore& store, const Model& model, const Model& first, const DocumentOptions& options) {
  const auto& e = model.evaluations.front();
  auto whole = evaluation::to_json(e, /*images=*/false);
  json out = whole.at("model");
  out["label"] = model.label;
  for (const char* key : {"clean", "spread", "spread_uncalibrated", "grad_l1_px_mean"}) {
    out[key] = whole.at(key);
  }
  out["attacks"] = json::array();
  for (std::size_t a = 0; e.attack && a < model.evaluations.size(); ++a) {
    const auto* base = &model == &first ? nullptr : &first.evaluations.at(a);
    out["attacks"].push_back(attack_json(model.evaluations[a], base, options));
  }
  out["curves"] = json::array();
  for (const auto& curve : evaluation::curves(model.evaluations)) {
    out["curves"].push_back(evaluation::to_json(curve));
  }
  out["theory"] = theory_json(store, *model.plan);
  const auto masking = store.masking(model.plan->key());
  out["masking"] = masking.empty() ? json(nullptr) : evaluation::to_json(masking.front());
  return out;
}

json images_json(const std::vector<Model>& models) {
  auto list = json::array();
  const auto& first = models.front().evaluations.front();
  for (std::size_t i = 0; i < first.images.size(); ++i) {
    auto scores = json::array();
    for (const auto& model : models) {
      const auto& image = model.evaluations.front().images[i];
      auto attacked = json::array();
      for (const auto& e : model.evaluations) {
        if (e.attack) {
          attacked.push_back(e.images[i].attacked);
        }
      }
      scores.push_back({{"score", image.clean}, {"grad_l1_px", image.gradient_l1}, {"attacked", attacked}});
    }
    list.push_back(
        {{"name", first.images[i].name}, {"mos", evaluation::number_or_null(first.images[i].mos)}, {"scores", scores}});
  }
  return list;
}

/// A picture of the store for the page, with the perturbation amplified.
json picture_json(const evaluation::StoredPicture& picture, const std::string& sensitivity) {
  const auto url = [](const std::string& png) { return fmt::format("data:image/png;base64,{}", png); };
  const auto clean = image::decode(from_base64(picture.clean), "clean picture");
  const auto attacked = image::decode(from_base64(picture.attacked), "attacked picture");
  int factor = 1;
  const auto amplified = amplify_perturbation(clean.value(), attacked.value(), factor);
  return {{"clean", url(picture.clean)},
          {"attacked", url(picture.attacked)},
          {"perturbation", url(base64(image::encode_png(amplified)))},
          {"amplification", factor},
          {"sensitivity", url(sensitivity)}};
}

json pictures_json(ResultStore& store, const std::vector<Model>& models) {
  auto list = json::array();
  const auto members = store.members(models.front().plan->image_set);
  for (std::size_t m = 0; m < models.size(); ++m) {
    const auto& plan = *models[m].plan;
    for (std::size_t a = 0; a < plan.attacks.size(); ++a) {
      const auto& images = models[m].evaluations[a].images;
      for (const auto& picture : store.pictures(plan.model, plan.attacks[a])) {
        const auto member = std::ranges::find(members, picture.image, &evaluation::Member::image);
        const auto row = member == members.end()
                             ? images.end()
                             : std::ranges::find(images, member->name, &evaluation::ImageResult::name);
        if (row == images.end()) {
          continue;  // of an image that another model has not finished
        }
        auto item = picture_json(picture, store.sensitivity(plan.model, picture.image));
        item.update({{"image", row->name},
                     {"model", m},
                     {"attack", a},
                     {"score", row->clean},
                     {"attacked_score", row->attacked},
                     {"mos", evaluation::number_or_null(row->mos)}});
        list.push_back(std::move(item));
        break;  // the worst of each attack and budget
      }
    }
  }
  return list;
}

/// All of the same images: those that every plan has finished.
void keep_common_images(std::vector<Model>& models) {
  std::set<std::string> common;
  for (const auto& model : models) {
    std::set<std::string> names;
    for (const auto& image : model.evaluations.front().images) {
      if (&model == &models.front() || common.contains(image.name)) {
        names.insert(image.name);
      }
    }
    common = std::move(names);
  }
  for (auto& model : models) {
    for (auto& e : model.evaluations) {
      std::erase_if(e.images, [&](const auto& image) { return !common.contains(image.name); });
    }
  }
}

std::vector<Model> read_models(ResultStore& store, std::span<const StoredPlan> plans) {
  std::vector<Model> models;
  std::vector<Evaluation> firsts;
  for (const auto& plan : plans) {
    models.push_back({&plan, "", store.evaluations(plan)});
  }
  keep_common_images(models);
  for (auto& model : models) {
    const auto stored = store.model(model.plan->model);
    for (auto& e : model.evaluations) {
      if (e.images.size() < evaluation::kFewestImages) {
        fail_input("{}: {} of {} images are finished, measures need {}", e.model_path, e.images.size(),
                   e.expected_images, evaluation::kFewestImages);
      }
      summarise(e, stored.raw_to_0_100);
    }
    firsts.push_back(model.evaluations.front());
  }
  const auto labels = group_by_model(firsts);
  for (std::size_t i = 0; i < models.size(); ++i) {
    models[i].label = i < labels.size() ? labels[i].label : "model";
  }
  return models;
}

}  // namespace

json report_document(ResultStore& store, std::span<const StoredPlan> plans, const DocumentOptions& options) {
  if (plans.empty()) {
    fail_usage("report: no results");
  }
  for (const auto& plan : plans) {
    if (plan.protocol_digest != plans.front().protocol_digest || plan.image_set != plans.front().image_set) {
      fail_usage("report: results of different protocols or images cannot stand in one report");
    }
  }
  const auto models = read_models(store, plans);
  const auto& plan = plans.front();
  const auto& first = models.front().evaluations.front();
  std::set<std::string> devices;
  for (const auto& model : models) {
    devices.insert(model.evaluations.front().device);
  }
  json document = {{"protocol",
                    {{"name", plan.protocol},
                     {"digest", plan.protocol_digest},
                     {"about", plan.protocol_document.value("about", "")},
                     {"unknowns", plan.protocol_document.value("unknowns", json::array())},
                     {"document", plan.protocol_document}}},
                   {"data",
                    {{"name", plan.data_name},
                     {"digest", plan.image_set},
                     {"images", first.images.size()},
                     {"expected_images", first.expected_images}}},
                   {"judged", evaluation::kJudged},
                   {"device", fmt::format("{}", fmt::join(devices, " and "))},
                   {"precision", "float32"},
                   {"bootstrap",
                    {{"resamples", options.bootstrap.resamples},
                     {"confidence", options.bootstrap.confidence},
                     {"seed", options.bootstrap.seed}}}};
  document["models"] = json::array();
  for (const auto& model : models) {
    document["models"].push_back(model_json(store, model, models.front(), options));
  }
  document["images"] = images_json(models);
  document["pictures"] = options.pictures ? pictures_json(store, models) : json::array();
  document["verdict"] = verdict(document);
  return document;
}

}  // namespace steadyiqa::report
