// Evaluations filled in by hand.
#pragma once

#include "evaluation/result.h"

#include <string>

namespace steadyiqa::report::testing {

inline evaluation::AttackDescription fgsm() {
  return {.name = "fgsm", .epsilon = 0.005, .levels = 1, .direction = "mid", .unit = "image"};
}

/// A clean evaluation of three images.
inline evaluation::Evaluation clean_evaluation(const std::string& path) {
  evaluation::Evaluation e;
  e.model_path = path;
  e.model_sha256 = "0123456789abcdef0123456789abcdef";
  e.model_name = "hyperiqa/mobilenet_v2";
  e.calibrated = true;
  e.crops = "25 crops of 224, mean";
  e.data_name = "livec test";
  e.data_digest = "d1";
  e.images.resize(3);
  e.clean = {.srocc = 0.8533, .plcc = 0.8701, .plcc_logistic = 0.88, .krocc = 0.6602, .rmse = 11.234, .mae = 9.1};
  e.spread = 17.25;
  e.mean_gradient_l1 = 2512.44;
  return e;
}

/// The same under FGSM, with the given score change as a share of the spread.
inline evaluation::Evaluation attacked_evaluation(const std::string& path, double srocc, double share) {
  evaluation::Evaluation e = clean_evaluation(path);
  e.attack = fgsm();
  evaluation::AttackedMeasures m;
  m.with_mos = {.srocc = srocc, .plcc = 0.351, .plcc_logistic = 0.4, .krocc = 0.2314, .rmse = 31.116, .mae = 26.5};
  m.with_clean = {.srocc = 0.411, .plcc = 0.4, .plcc_logistic = 0.4, .krocc = 0.3, .rmse = 25.31, .mae = 20.0};
  m.robustness = {.natural = 0.612, .log10 = 0.266};
  m.change = {.mean_absolute = 17.25 * share,
              .p95_absolute = 40.125,
              .median_absolute = 20,
              .mean_signed = 1,
              .share_of_spread = share};
  m.mean_psnr = 46.234;
  m.mean_ssim = 0.99341;
  e.attacked = m;
  return e;
}

}  // namespace steadyiqa::report::testing
