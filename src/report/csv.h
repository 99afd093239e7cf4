// Evaluations as CSV, one row per image, model and attack, for spreadsheets and scripts.
#pragma once

#include "evaluation/result.h"

#include <span>
#include <string>

namespace steadyiqa::report {

/// Columns
/// model,attack,eps_px,image,mos,score,raw_score,attacked,attacked_raw,direction,grad_l1_px,linf_levels,psnr_db, ssim.
/// Numbers are spelled so that they read back exactly; a cell is empty where there was no attack, and where a value is
/// not finite.
[[nodiscard]] std::string images_csv(std::span<const evaluation::Evaluation> evaluations);

/// MSU's columns (Antsiferova et al., NeurIPS 2022 benchmark):
/// image_name,test_dataset,clear,attacked,rel_gain,psnr,ssim,mse. Scores are calibrated points; rel_gain = (attacked -
/// clear) / clear, empty where clear is 0; mse of [0,1] pixels.
[[nodiscard]] std::string msu_head();
[[nodiscard]] std::string msu_row(const evaluation::ImageResult& image, const std::string& data_name);

}  // namespace steadyiqa::report
