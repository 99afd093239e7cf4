// What robustness costs: clean correlation against correlation under attack, over models of different lambda.
#pragma once

#include "evaluation/result.h"
#include "image/image.h"
#include "report/scatter.h"

#include <span>
#include <vector>

namespace steadyiqa::report {

/// One point for each model under the first attack found, SROCC to MOS clean (x) and attacked (y), labelled with its
/// lambda. Models are joined in series by kind of regulariser, in the order of lambda; those without one begin every
/// series. Throws Error(kInput) when nothing was attacked.
[[nodiscard]] std::vector<PlotSeries> frontier_series(std::span<const evaluation::Evaluation> evaluations);

/// Those series as a plot, with data set and attack in its title. Throws as they do.
[[nodiscard]] image::Image frontier_picture(std::span<const evaluation::Evaluation> evaluations);

}  // namespace steadyiqa::report
