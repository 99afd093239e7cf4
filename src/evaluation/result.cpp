#include "evaluation/result.h"

#include "stats/correlation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>

namespace steadyiqa::evaluation {

nlohmann::json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

namespace {

std::vector<double> column(const std::vector<ImageResult>& images,
                           const std::function<double(const ImageResult&)>& value) {
  std::vector<double> values;
  values.reserve(images.size());
  for (const auto& image : images) {
    values.push_back(value(image));
  }
  return values;
}

/// All NaN where the truth is not known for every image.
Agreement agreement(std::span<const double> scores, std::span<const double> truth) {
  if (!std::ranges::all_of(truth, [](double value) { return std::isfinite(value); })) {
    const double none = std::nan("");
    return {none, none, none, none, none, none};
  }
  return {.srocc = stats::srocc(scores, truth),
          .plcc = stats::plcc(scores, truth),
          .plcc_logistic = stats::plcc_logistic4(scores, truth),
          .krocc = stats::krocc(scores, truth),
          .rmse = stats::rmse(scores, truth),
          .mae = stats::mae(scores, truth)};
}

nlohmann::json to_json(const Agreement& a) {
  return {{"srocc", number_or_null(a.srocc)},
          {"plcc", number_or_null(a.plcc)},
          {"plcc_logistic4", number_or_null(a.plcc_logistic)},
          {"krocc", number_or_null(a.krocc)},
          {"rmse", number_or_null(a.rmse)},
          {"mae", number_or_null(a.mae)}};
}

nlohmann::json to_json(const AttackedMeasures& m) {
  return {{"with_mos", to_json(m.with_mos)},
          {"with_clean", to_json(m.with_clean)},
          {"r_natural", number_or_null(m.robustness.natural)},
          {"r_log10", number_or_null(m.robustness.log10)},
          {"r_natural_uncalibrated", number_or_null(m.robustness_raw.natural)},
          {"r_log10_uncalibrated", number_or_null(m.robustness_raw.log10)},
          {"change_mean", number_or_null(m.change.mean_absolute)},
          {"change_median", number_or_null(m.change.median_absolute)},
          {"change_p95", number_or_null(m.change.p95_absolute)},
          {"change_signed_mean", number_or_null(m.change.mean_signed)},
          {"change_share_of_spread", number_or_null(m.change.share_of_spread)},
          {"psnr_mean_db", number_or_null(m.mean_psnr)},
          {"ssim_mean", number_or_null(m.mean_ssim)},
          {"linf_max_levels", number_or_null(m.max_linf_levels)},
          {"model_calls_mean", number_or_null(m.mean_model_calls)},
          {"own_training_images", m.own_training_images},
          {"rho_mean", number_or_null(m.mean_rho)}};
}

/// The numbers of an image's row by their JSON names.
struct NumberField {
  const char* key;
  double ImageResult::*member;
  bool attacked;  ///< only of an attacked image
};
constexpr NumberField kNumbers[] = {
    {"mos", &ImageResult::mos, false},
    {"score", &ImageResult::clean, false},
    {"raw_score", &ImageResult::clean_raw, false},
    {"grad_l1_px", &ImageResult::gradient_l1, false},
    {"attacked", &ImageResult::attacked, true},
    {"attacked_raw", &ImageResult::attacked_raw, true},
    {"attacked_float", &ImageResult::attacked_float, true},
    {"linf_levels", &ImageResult::linf_levels, true},
    {"psnr_db", &ImageResult::psnr, true},
    {"ssim", &ImageResult::ssim, true},
    {"mse", &ImageResult::mse, true},
};

/// Over the images that have the value (an unchanged one has no PSNR, one below the window's size no SSIM); NaN when
/// none has.
double mean_of_finite(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  return values.empty() ? std::nan("") : stats::mean(values);
}

AttackedMeasures attacked_measures(const Evaluation& e, const stats::Affine& raw_to_0_100) {
  const auto& images = e.images;
  const auto mos = column(images, [](const auto& i) { return i.mos; });
  const auto clean = column(images, [](const auto& i) { return i.clean; });
  const auto attacked = column(images, [](const auto& i) { return i.attacked; });
  const auto raw_clean = column(images, [&](const auto& i) { return raw_to_0_100(i.clean_raw); });
  const auto raw_attacked = column(images, [&](const auto& i) { return raw_to_0_100(i.attacked_raw); });
  AttackedMeasures m;
  m.with_mos = agreement(attacked, mos);
  m.with_clean = agreement(attacked, clean);
  m.robustness = stats::robustness_r(clean, attacked);
  m.robustness_raw = stats::robustness_r(raw_clean, raw_attacked);
  m.change = stats::score_change(clean, attacked);
  const double eps = e.attack->epsilon;
  m.mean_psnr = mean_of_finite(column(images, [](const auto& i) { return i.psnr; }));
  m.mean_ssim = mean_of_finite(column(images, [](const auto& i) { return i.ssim; }));
  const auto rho = column(images, [eps](const auto& i) {
    return std::abs(i.attacked_float - i.clean) / std::max(eps * i.gradient_l1, 1e-12);
  });
  m.mean_rho = stats::mean(rho);
  m.mean_model_calls = stats::mean(column(images, [](const auto& i) { return static_cast<double>(i.model_calls); }));
  for (const auto& image : images) {
    m.max_linf_levels = std::max(m.max_linf_levels, image.linf_levels);
    m.own_training_images += image.own_training_image ? 1 : 0;
  }
  return m;
}

}  // namespace

nlohmann::json to_json(const ImageResult& image, bool attacked) {
  nlohmann::json json = {{"image", image.name}};
  for (const auto& f : kNumbers) {
    if (attacked || !f.attacked) {
      json[f.key] = number_or_null(image.*f.member);
    }
  }
  if (attacked) {
    json["direction"] = image.direction;
    json["model_calls"] = image.model_calls;
    json["own_training_image"] = image.own_training_image;
  }
  return json;
}

ImageResult image_result_from(const nlohmann::json& json) {
  ImageResult image;
  image.name = json.at("image").get<std::string>();
  for (const auto& f : kNumbers) {
    const auto& value = json.at(f.key);
    image.*f.member = value.is_null() ? std::nan("") : value.get<double>();
  }
  image.direction = json.at("direction").get<int>();
  image.model_calls = json.at("model_calls").get<std::int64_t>();
  image.own_training_image = json.value("own_training_image", false);  // packs before it had no such attacks
  return image;
}

void summarise(Evaluation& e, const stats::Affine& raw_to_0_100) {
  const auto mos = column(e.images, [](const auto& i) { return i.mos; });
  const auto clean = column(e.images, [](const auto& i) { return i.clean; });
  e.clean = agreement(clean, mos);
  e.spread = stats::spread(clean);
  e.spread_raw = stats::spread(column(e.images, [](const auto& i) { return i.clean_raw; }));
  e.mean_gradient_l1 = stats::mean(column(e.images, [](const auto& i) { return i.gradient_l1; }));
  if (e.attack) {
    e.attacked = attacked_measures(e, raw_to_0_100);
  }
}

nlohmann::json to_json(const Evaluation& e, bool images) {
  nlohmann::json json = {{"model",
                          {{"path", e.model_path},
                           {"sha256", e.model_sha256},
                           {"name", e.model_name},
                           {"regulariser", e.regulariser},
                           {"lambda", e.lambda},
                           {"score", e.score_name},
                           {"calibrated", e.calibrated},
                           {"calibration", {{"slope", e.calibration.slope}, {"intercept", e.calibration.intercept}}},
                           {"crops", e.crops}}},
                         {"data",
                          {{"name", e.data_name},
                           {"digest", e.data_digest},
                           {"images", e.images.size()},
                           {"expected_images", e.expected_images}}},
                         {"protocol", {{"name", e.protocol}, {"digest", e.protocol_digest}}},
                         {"clean", to_json(e.clean)},
                         {"spread", number_or_null(e.spread)},
                         {"spread_uncalibrated", number_or_null(e.spread_raw)},
                         {"grad_l1_px_mean", number_or_null(e.mean_gradient_l1)},
                         {"scale", "scores calibrated to 0-100 MOS on the training set, higher is better"},
                         {"precision", "float32"},
                         {"device", e.device}};
  if (e.attack) {
    json["attack"] = {{"name", e.attack->name},           {"eps_px", e.attack->epsilon},
                      {"eps_levels", e.attack->levels},   {"parameters", e.attack->parameters},
                      {"direction", e.attack->direction}, {"unit", e.attack->unit},
                      {"adaptive", e.adaptive},           {"judged", kJudged}};
    json["attacked"] = to_json(*e.attacked);
    if (e.seconds_per_image) {
      json["attack"]["seconds_per_image"] = *e.seconds_per_image;
    }
  }
  if (images) {
    auto& rows = json["images"] = nlohmann::json::array();
    for (const auto& image : e.images) {
      rows.push_back(to_json(image, e.attack.has_value()));
    }
  }
  return json;
}

}  // namespace steadyiqa::evaluation
