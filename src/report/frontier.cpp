#include "report/frontier.h"

#include "base/error.h"
#include "report/scatter.h"
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

bool same_attack(const evaluation::AttackDescription& a, const evaluation::AttackDescription& b) {
  return a.name == b.name && a.epsilon == b.epsilon && a.steps == b.steps && a.direction == b.direction &&
         a.unit == b.unit;
}

}  // namespace

image::Image frontier_picture(std::span<const evaluation::Evaluation> evaluations) {
  const auto first = std::ranges::find_if(evaluations, [](const auto& e) { return e.attack.has_value(); });
  if (first == evaluations.end()) {
    fail_input("a frontier needs an attack");
  }
  Evaluations baselines;
  std::map<std::string, Evaluations> kinds;
  for (const auto& e : evaluations) {
    if (e.attack && same_attack(*e.attack, *first->attack)) {
      (e.lambda > 0 ? kinds[e.regulariser] : baselines).push_back(&e);
    }
  }
  std::vector<PlotSeries> series;
  for (const auto& [name, members] : kinds) {
    series.push_back(series_of(name, baselines, members));
  }
  if (series.empty()) {
    series.push_back(series_of("no regulariser", baselines, {}));
  }
  PlotText text;
  text.title = fmt::format("{}, {}, eps {}, {}", first->data_name, first->attack->name, epsilon_text(*first->attack),
                           first->attack->direction);
  return frontier_plot(text, series);
}

}  // namespace steadyiqa::report
