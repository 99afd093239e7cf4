#include "evaluation/statistics.h"

#include "base/error.h"
#include "stats/correlation.h"
#include "stats/robustness.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <tuple>

namespace steadyiqa::evaluation {
namespace {

using List = std::span<const double>;

/// The three lists that every measure is of.
struct Columns {
  std::vector<double> mos, clean, attacked;

  explicit Columns(const Evaluation& e) {
    for (const auto& image : e.images) {
      mos.push_back(image.mos);
      clean.push_back(image.clean);
      attacked.push_back(image.attacked);
    }
  }
  Columns(const Columns& all, std::span<const std::size_t> picks) {
    for (const auto pick : picks) {
      mos.push_back(all.mos[pick]);
      clean.push_back(all.clean[pick]);
      attacked.push_back(all.attacked[pick]);
    }
  }
};

struct Measure {
  const char* name;
  bool attacked;   ///< needs an attack
  bool needs_mos;  ///< of every image
  double (*of)(List mos, List clean, List attacked);
};
constexpr Measure kMeasures[] = {
    {"srocc_clean", false, true, [](List mos, List s, List) { return stats::srocc(s, mos); }},
    {"plcc_clean", false, true, [](List mos, List s, List) { return stats::plcc(s, mos); }},
    {"srocc_attacked", true, true, [](List mos, List, List a) { return stats::srocc(a, mos); }},
    {"plcc_attacked", true, true, [](List mos, List, List a) { return stats::plcc(a, mos); }},
    {"change_mean", true, false, [](List, List s, List a) { return stats::score_change(s, a).mean_absolute; }},
    {"change_share_of_spread", true, false,
     [](List, List s, List a) { return stats::score_change(s, a).share_of_spread; }},
    {"r_natural", true, false, [](List, List s, List a) { return stats::robustness_r(s, a).natural; }},
};

using Picks = std::span<const std::size_t>;

double apply(const Measure& measure, const Columns& all, Picks picks) {
  const Columns c(all, picks);
  const bool rated = std::ranges::all_of(c.mos, [](double value) { return std::isfinite(value); });
  return measure.needs_mos && !rated ? std::nan("") : measure.of(c.mos, c.clean, c.attacked);
}

/// Every measure there is, of all items and with its interval.
std::vector<Estimate> estimate_each(std::size_t items, bool attacked,
                                    const std::function<double(const Measure&, Picks)>& value,
                                    const stats::BootstrapOptions& options) {
  std::vector<std::size_t> all(items);
  std::iota(all.begin(), all.end(), 0);
  std::vector<Estimate> list;
  for (const auto& measure : kMeasures) {
    if (!measure.attacked || attacked) {
      list.push_back({measure.name, value(measure, all),
                      stats::bootstrap(
                          items, [&](Picks picks) { return value(measure, picks); }, options)});
    }
  }
  return list;
}

constexpr double kViolation = 1e-3;  // float32 noise of a sum over a million pixels stays below

}  // namespace

std::vector<Estimate> estimates(const Evaluation& evaluation, const stats::BootstrapOptions& options) {
  const Columns all(evaluation);
  return estimate_each(
      all.clean.size(), evaluation.attack.has_value(),
      [&](const Measure& measure, Picks picks) { return apply(measure, all, picks); }, options);
}

std::vector<Estimate> differences(const Evaluation& base, const Evaluation& other,
                                  const stats::BootstrapOptions& options) {
  if (base.images.size() != other.images.size() || base.data_digest != other.data_digest) {
    fail_usage("'{}' and '{}' were not evaluated on the same images: no paired difference", base.model_path,
               other.model_path);
  }
  const Columns first(base);
  const Columns second(other);
  return estimate_each(
      first.clean.size(), base.attack && other.attack,
      [&](const Measure& measure, Picks picks) { return apply(measure, second, picks) - apply(measure, first, picks); },
      options);
}

DistributionChange distribution_change(const Evaluation& evaluation) {
  const Columns c(evaluation);
  return {stats::msu_gains(c.clean, c.attacked), stats::wasserstein_distance(c.clean, c.attacked),
          stats::energy_distance(c.clean, c.attacked)};
}

std::vector<Curve> curves(std::span<const Evaluation> evaluations) {
  std::map<std::pair<std::string, nlohmann::json>, std::vector<const Evaluation*>> groups;
  for (const auto& e : evaluations) {
    if (e.attack && e.attacked) {
      const auto& attack = *e.attack;
      const auto name = fmt::format("{}, direction {}, unit {}", attack.name, attack.direction, attack.unit);
      groups[{name, attack.parameters}].push_back(&e);
    }
  }
  std::vector<Curve> list;
  for (auto& [attack, members] : groups) {
    std::ranges::sort(members, {}, [](const Evaluation* e) { return e->attack->epsilon; });
    Curve curve;
    std::tie(curve.attack, curve.parameters) = attack;
    std::vector<double> height;
    for (const auto* e : members) {
      curve.epsilon.push_back(e->attack->epsilon);
      curve.srocc.push_back(e->attacked->with_mos.srocc);
      curve.change.push_back(e->attacked->change.mean_absolute);
      curve.share.push_back(e->attacked->change.share_of_spread);
      height.push_back(e->attacked->change.mean_absolute / 100.0);
    }
    curve.integral_score = stats::integral_score(curve.epsilon, height);
    list.push_back(std::move(curve));
  }
  return list;
}

std::vector<TheoryPoint> theory_points(ResultStore& store, const StoredPlan& plan, double epsilon) {
  std::vector<TheoryPoint> points;
  for (const auto& member : store.members(plan.image_set)) {
    const auto clean = store.clean(plan.model, member.image);
    for (const auto& row : store.bounds(plan.model, member.image)) {
      if (clean && row.epsilon == epsilon) {
        points.push_back({member.name, epsilon * clean->gradient_l1, row});
      }
    }
  }
  return points;
}

std::vector<TheoryAtBudget> theory(ResultStore& store, const StoredPlan& plan) {
  std::vector<TheoryAtBudget> list;
  for (const double epsilon : plan.bounds) {
    const auto points = theory_points(store, plan, epsilon);
    if (points.size() < 2) {
      continue;
    }
    std::vector<double> x;
    std::vector<double> y;
    TheoryAtBudget t{.epsilon = epsilon, .images = static_cast<std::int64_t>(points.size())};
    double xx = 0;
    double xy = 0;
    const auto count = static_cast<double>(points.size());
    for (const auto& point : points) {
      const auto& row = point.row;
      const double change = std::max(std::abs(row.change_up), std::abs(row.change_down));
      x.push_back(point.gradient_change);
      y.push_back(change);
      xx += point.gradient_change * point.gradient_change;
      xy += point.gradient_change * change;
      t.violation_rate += (row.change_up > row.bound_up * (1 + kViolation) ? 0.5 : 0.0) / count;
      t.violation_rate += (row.change_down > row.bound_down * (1 + kViolation) ? 0.5 : 0.0) / count;
      t.mean_bound += std::max(row.bound_up, row.bound_down) / count;
      t.mean_change += change / count;
    }
    t.pearson = stats::plcc(x, y);
    t.spearman = stats::srocc(x, y);
    t.slope = xy / xx;
    list.push_back(t);
  }
  return list;
}

nlohmann::json to_json(std::span<const Estimate> estimates) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& e : estimates) {
    json[e.name] = {{"value", number_or_null(e.value)},
                    {"low", number_or_null(e.interval.low)},
                    {"high", number_or_null(e.interval.high)}};
  }
  return json;
}

nlohmann::json to_json(const DistributionChange& change) {
  return {{"msu_absolute_gain", number_or_null(change.gains.absolute)},
          {"msu_relative_gain", number_or_null(change.gains.relative)},
          {"wasserstein_points", number_or_null(change.wasserstein)},
          {"energy_distance", number_or_null(change.energy)}};
}

nlohmann::json to_json(const Curve& curve) {
  auto points = nlohmann::json::array();
  for (std::size_t i = 0; i < curve.epsilon.size(); ++i) {
    points.push_back({{"eps_px", curve.epsilon[i]},
                      {"srocc_attacked", number_or_null(curve.srocc[i])},
                      {"change_mean", number_or_null(curve.change[i])},
                      {"change_share_of_spread", number_or_null(curve.share[i])}});
  }
  return {{"attack", curve.attack},
          {"parameters", curve.parameters},
          {"points", points},
          {"integral_score", number_or_null(curve.integral_score)}};
}

nlohmann::json to_json(const TheoryAtBudget& t) {
  return {{"eps_px", t.epsilon},
          {"kind", "first_order"},
          {"images", t.images},
          {"pearson", number_or_null(t.pearson)},
          {"spearman", number_or_null(t.spearman)},
          {"slope", number_or_null(t.slope)},
          {"violation_rate", number_or_null(t.violation_rate)},
          {"score_change_bound_mean", number_or_null(t.mean_bound)},
          {"change_mean", number_or_null(t.mean_change)}};
}

}  // namespace steadyiqa::evaluation
