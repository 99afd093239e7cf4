#include "report/table.h"

#include "base/error.h"
#include "report/comparison.h"
#include "report/grid.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <vector>

namespace steadyiqa::report {
namespace {

using evaluation::AttackDescription;
using evaluation::AttackedMeasures;
using evaluation::Evaluation;

constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

/// A value and the decimals it is shown with.
struct Value {
  double value = kNoValue;
  int decimals = 0;
};

GridRow value_row(const std::string& label, const std::vector<Value>& values) {
  GridRow row = {label};
  for (const auto& v : values) {
    row.push_back(number_cell(v.value, v.decimals));
  }
  return row;
}

GridRow delta_row(const std::vector<Value>& values, const std::vector<Value>& first) {
  GridRow row = {"  Δ vs first"};
  for (std::size_t i = 0; i < values.size(); ++i) {
    row.push_back(delta_cell(values[i].value - first[i].value, values[i].decimals));
  }
  return row;
}

/// Each model's values, from the second on with the difference to the first's.
template <class Values>
std::string model_grid(const std::vector<GridGroup>& groups, const std::vector<ModelResults>& models,
                       Values values_of) {
  std::vector<GridRow> rows;
  const auto first = values_of(models.front());
  for (const auto& model : models) {
    const auto values = values_of(model);
    rows.push_back(value_row(model.label, values));
    if (&model != &models.front()) {
      rows.push_back(delta_row(values, first));
    }
  }
  return render_grid(groups, rows, kTableWidth);
}

std::string clean_block(const std::vector<ModelResults>& models) {
  const std::vector<GridGroup> groups = {{"", {"model"}},
                                         {"clean score to MOS", {"SROCC↑", "PLCC↑", "KROCC↑", "RMSE↓"}},
                                         {"spread", {"points"}},
                                         {"gradient l1 norm", {"points/[0,1]px↓"}}};
  return "Clean\n" + model_grid(groups, models, [](const ModelResults& model) {
           const Evaluation& e = model.first();
           return std::vector<Value>{{e.clean.srocc, 4}, {e.clean.plcc, 4}, {e.clean.krocc, 4},
                                     {e.clean.rmse, 2},  {e.spread, 2},     {e.mean_gradient_l1, 1}};
         });
}

/// Measures of a model that was not attacked: nothing but NaN.
AttackedMeasures no_measures() {
  AttackedMeasures m;
  m.with_mos = m.with_clean = {kNoValue, kNoValue, kNoValue, kNoValue, kNoValue, kNoValue};
  m.robustness = {kNoValue, kNoValue};
  m.change = {kNoValue, kNoValue, kNoValue, kNoValue, kNoValue};
  m.mean_psnr = m.mean_ssim = kNoValue;
  return m;
}

AttackedMeasures measures_of(const ModelResults& model, const AttackDescription& attack) {
  const Evaluation* e = model.under(attack);
  return e != nullptr ? *e->attacked : no_measures();
}

/// How the attack treats each model's purification; nothing where none has any.
std::string adaptive_line(const AttackDescription& attack, const std::vector<ModelResults>& models) {
  std::string list;
  bool any = false;
  for (const auto& model : models) {
    if (const Evaluation* e = model.under(attack); e != nullptr) {
      any = any || e->adaptive != evaluation::kNoneNeeded;
      list += fmt::format("{}{}: {}", list.empty() ? "" : "; ", model.label, one_line(e->adaptive));
    }
  }
  return any ? wrap("adaptive to purification: " + list, kTableWidth) : "";
}

/// The share of the spread stands beside the correlations: a model whose scores all but agree has both small changes
/// and bad correlations.
std::string attack_block(const AttackDescription& attack, const std::vector<ModelResults>& models) {
  const std::vector<GridGroup> agreement = {{"", {"model"}},
                                            {"attacked score to MOS", {"SROCC↑", "PLCC↑", "KROCC↑", "RMSE↓", "MAE↓"}},
                                            {"to clean score", {"SROCC↑", "RMSE↓"}},
                                            {"change", {"/spread↓"}}};
  const std::vector<GridGroup> stability = {{"", {"model"}},
                                            {"robustness R", {"ln↑", "log10↑"}},
                                            {"change, points", {"mean↓", "p95↓"}},
                                            {"change", {"/spread↓"}},
                                            {"attacked image", {"PSNR dB", "SSIM"}}};
  std::string out = wrap(fmt::format("{} · eps {} · direction {} · unit {} · judged after 8-bit rounding",
                                     attack_text(attack), epsilon_text(attack), attack.direction, attack.unit),
                         kTableWidth);
  out += adaptive_line(attack, models);
  out += model_grid(agreement, models, [&](const ModelResults& model) {
    const AttackedMeasures m = measures_of(model, attack);
    return std::vector<Value>{{m.with_mos.srocc, 4},  {m.with_mos.plcc, 4},         {m.with_mos.krocc, 4},
                              {m.with_mos.rmse, 2},   {m.with_mos.mae, 2},          {m.with_clean.srocc, 4},
                              {m.with_clean.rmse, 2}, {m.change.share_of_spread, 3}};
  });
  out += model_grid(stability, models, [&](const ModelResults& model) {
    const AttackedMeasures m = measures_of(model, attack);
    return std::vector<Value>{{m.robustness.natural, 3},
                              {m.robustness.log10, 3},
                              {m.change.mean_absolute, 2},
                              {m.change.p95_absolute, 2},
                              {m.change.share_of_spread, 3},
                              {m.mean_psnr, 2},
                              {m.mean_ssim, 4}};
  });
  return out;
}

/// Which file stands behind each label.
std::string legend(const std::vector<ModelResults>& models) {
  std::string out;
  for (const auto& model : models) {
    const Evaluation& e = model.first();
    out += wrap(fmt::format("{}: {}, {}, sha256 {}", model.label, e.model_name, e.model_path,
                            e.model_sha256.empty() ? "-" : e.model_sha256.substr(0, 12)),
                kTableWidth);
  }
  return out;
}

enum class Better { kHigher, kLower };

struct DemoMeasure {
  std::string label;
  Better better = Better::kHigher;
  int decimals = 0;
};

/// The arrow points to the better model: the baseline's column is the left one, NT's the right one.
GridRow demo_row(const DemoMeasure& measure, double baseline, double nt) {
  const double difference = nt - baseline;
  const std::string shown = delta_cell(difference, measure.decimals);
  std::string verdict = "-         ";
  if (shown.find_first_not_of("0.") == std::string::npos) {
    verdict = "equal     ";
  } else if (!std::isnan(difference)) {
    const bool nt_better = (difference > 0) == (measure.better == Better::kHigher);
    verdict = nt_better ? "→ NT      " : "← baseline";
  }
  return {measure.label + (measure.better == Better::kHigher ? " ↑" : " ↓"), number_cell(baseline, measure.decimals),
          number_cell(nt, measure.decimals), shown, verdict};
}

void add_attack_rows(std::vector<GridRow>& rows, const AttackDescription& attack, const AttackedMeasures& baseline,
                     const AttackedMeasures& nt) {
  rows.push_back({fmt::format("attacked: {}, eps {}", attack_text(attack), epsilon_text(attack))});
  rows.push_back(demo_row({"mean score change, points", Better::kLower, 2}, baseline.change.mean_absolute,
                          nt.change.mean_absolute));
  rows.push_back(demo_row({"score change / spread of scores", Better::kLower, 3}, baseline.change.share_of_spread,
                          nt.change.share_of_spread));
  rows.push_back(
      demo_row({"robustness R (ln)", Better::kHigher, 3}, baseline.robustness.natural, nt.robustness.natural));
  rows.push_back(demo_row({"RMSE to MOS", Better::kLower, 2}, baseline.with_mos.rmse, nt.with_mos.rmse));
  rows.push_back(demo_row({"SROCC to MOS", Better::kHigher, 4}, baseline.with_mos.srocc, nt.with_mos.srocc));
}

}  // namespace

std::string attack_text(const AttackDescription& attack) {
  std::string text = attack.name;
  for (const auto& [key, value] : attack.parameters.items()) {
    if (value != "") {
      text += fmt::format(" {} {}", key, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  return text;
}

std::string epsilon_text(const AttackDescription& attack) {
  const double levels = attack.epsilon * 255.0;
  if (std::abs(levels - attack.levels) < 1e-3) {
    return fmt::format("{}/255 ({:.4g}px)", attack.levels, attack.epsilon);
  }
  return fmt::format("{:.4g}px ({}/255 after rounding)", attack.epsilon, attack.levels);
}

std::string evaluation_table(std::span<const Evaluation> evaluations) {
  require_same_images(evaluations);
  const auto models = group_by_model(evaluations);
  std::string out = clean_block(models);
  for (const auto& attack : list_attacks(evaluations)) {
    out += '\n';
    out += attack_block(attack, models);
  }
  return out + "\n" + legend(models) + footer(models, kTableWidth);
}

std::string demo_table(std::span<const Evaluation> baseline, std::span<const Evaluation> nt) {
  require_same_images(baseline);
  require_same_images(nt);
  require_same_images(baseline.front(), nt.front());
  std::vector<ModelResults> models(2);
  models[0].label = "baseline";
  models[1].label = "NT";
  for (const auto& e : baseline) {
    models[0].evaluations.push_back(&e);
  }
  for (const auto& e : nt) {
    models[1].evaluations.push_back(&e);
  }
  const Evaluation& a = models[0].first();
  const Evaluation& b = models[1].first();
  std::vector<GridRow> rows = {{"clean images"}};
  rows.push_back(demo_row({"SROCC to MOS", Better::kHigher, 4}, a.clean.srocc, b.clean.srocc));
  rows.push_back(demo_row({"PLCC to MOS", Better::kHigher, 4}, a.clean.plcc, b.clean.plcc));
  rows.push_back(
      demo_row({"gradient l1 norm, points/[0,1]px", Better::kLower, 1}, a.mean_gradient_l1, b.mean_gradient_l1));
  for (const auto& attack : list_attacks(baseline)) {
    add_attack_rows(rows, attack, measures_of(models[0], attack), measures_of(models[1], attack));
  }
  const std::vector<GridGroup> groups = {
      {"", {"measure"}}, {"", {"baseline"}}, {"", {"NT"}}, {"", {"difference", "better    "}}};
  return render_grid(groups, rows, kDemoTableWidth) +
         wrap("NT = trained with gradient-norm regularisation; attacks judged after 8-bit rounding", kDemoTableWidth) +
         footer(models, kDemoTableWidth);
}

}  // namespace steadyiqa::report
