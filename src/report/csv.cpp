#include "report/csv.h"

#include "base/error.h"
#include "base/text.h"
#include "report/table.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

namespace steadyiqa::report {
namespace {

using evaluation::Evaluation;
using evaluation::ImageResult;

std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : ""; }
std::string text(const std::string& value) { return csv_field(one_line(value)); }

std::string row(const Evaluation& e, const ImageResult& image) {
  std::vector<std::string> cells = {text(e.model_path.empty() ? e.model_name : e.model_path),
                                    e.attack ? text(attack_text(*e.attack)) : "",
                                    e.attack ? number(e.attack->epsilon) : "",
                                    text(image.name),
                                    number(image.mos),
                                    number(image.clean),
                                    number(image.clean_raw)};
  if (e.attack) {
    cells.insert(cells.end(),
                 {number(image.attacked), number(image.attacked_raw), fmt::format("{}", image.direction),
                  number(image.gradient_l1), number(image.linf_levels), number(image.psnr), number(image.ssim)});
  } else {
    cells.insert(cells.end(), {"", "", "", number(image.gradient_l1), "", "", ""});
  }
  return fmt::format("{}\n", fmt::join(cells, ","));
}

}  // namespace

std::string msu_head() { return "image_name,test_dataset,clear,attacked,rel_gain,psnr,ssim,mse\n"; }

std::string msu_row(const ImageResult& image, const std::string& data_name) {
  const double gain = image.clean == 0.0 ? std::nan("") : (image.attacked - image.clean) / image.clean;
  return fmt::format("{},{},{},{},{},{},{},{}\n", text(image.name), text(data_name), number(image.clean),
                     number(image.attacked), number(gain), number(image.psnr), number(image.ssim), number(image.mse));
}

std::string images_csv(std::span<const Evaluation> evaluations) {
  std::string out =
      "model,attack,eps_px,image,mos,score,raw_score,attacked,attacked_raw,direction,grad_l1_px,linf_levels,psnr_db,"
      "ssim\n";
  for (const auto& e : evaluations) {
    for (const auto& image : e.images) {
      out += row(e, image);
    }
  }
  return out;
}

}  // namespace steadyiqa::report
