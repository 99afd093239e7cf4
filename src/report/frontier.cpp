#include "report/frontier.h"

#include "base/error.h"
#include "report/table.h"

#include <algorithm>
#include <map>
#include <vector>

namespace steadyiqa::report {
namespace {

using Evaluations = std::vector<const evaluation::Evaluation*>;

PlotPoint point_of(const evaluation::Evaluation& e) {
  return {e.clean.srocc, e.attacked->with_mos.srocc, e.lambda > 0 ? fmt::format("{:g}", e.lambda) : "0"};
}

PlotSeries series_of(const std::string& name, const Evaluations& baselines, Evaluations members) {
  std::ranges::stable_sort(members, {}, [](const auto* e) { return e->lambda; });
  PlotSeries series{name, {}};
  for (const auto* e : baselines) {
    series.points.push_back(point_of(*e));
  }
  for (const auto* e : members) {
    series.points.push_back(point_of(*e));
  }
  return series;
}

const evaluation::Evaluation& first_attacked(std::span<const evaluation::Evaluation> evaluations) {
  const auto first = std::ranges::find_if(evaluations, [](const auto& e) { return e.attack && e.attacked; });
  if (first == evaluations.end()) {
    fail_input("a frontier needs an attack");
  }
  return *first;
}

}  // namespace

std::vector<PlotSeries> frontier_series(std::span<const evaluation::Evaluation> evaluations) {
  const auto& attack = first_attacked(evaluations).attack;
  Evaluations baselines;
  std::map<std::string, Evaluations> kinds;
  for (const auto& e : evaluations) {
    if (e.attacked && e.attack == attack) {
      (e.lambda > 0 ? kinds[e.regulariser] : baselines).push_back(&e);
    }
  }
  std::vector<PlotSeries> series;
  series.reserve(kinds.size());
  for (const auto& [name, members] : kinds) {
    series.push_back(series_of(name, baselines, members));
  }
  if (series.empty()) {
    series.push_back(series_of("no regulariser", baselines, {}));
  }
  return series;
}

image::Image frontier_picture(std::span<const evaluation::Evaluation> evaluations) {
  const auto& first = first_attacked(evaluations);
  PlotText text;
  text.title = fmt::format("{}, {}, eps {}, {}", first.data_name, first.attack->name, epsilon_text(*first.attack),
                           first.attack->direction);
  return frontier_plot(text, frontier_series(evaluations));
}

}  // namespace steadyiqa::report
