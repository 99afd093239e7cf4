#include "report/verdict.h"

#include <fmt/format.h>

#include <algorithm>

namespace steadyiqa::report {
namespace {

using nlohmann::json;

std::string show(const json& value, const char* format = "{:.2f}") {
  return value.is_null() ? "-" : fmt::format(fmt::runtime(format), value.get<double>());
}

/// The attack that leaves the least correlation; null where none has any.
const json* strongest(const json& model) {
  const json* worst = nullptr;
  for (const auto& attack : model.at("attacks")) {
    const auto& srocc = attack.at("measures").at("with_mos").at("srocc");
    if (!srocc.is_null() && (worst == nullptr || srocc < worst->at("measures").at("with_mos").at("srocc"))) {
      worst = &attack;
    }
  }
  return worst;
}

std::string attack_name(const json& attack) {
  return fmt::format("{} at {:g}/255", attack.at("name").get<std::string>(), attack.at("eps_px").get<double>() * 255.0);
}

std::string of_model(const json& model) {
  auto text = fmt::format("{}: clean SROCC to MOS {}", model.at("label").get<std::string>(),
                          show(model.at("clean").at("srocc")));
  if (const auto* worst = strongest(model); worst != nullptr) {
    const auto& measures = worst->at("measures");
    const auto& interval = worst->at("intervals").at("srocc_attacked");
    text += fmt::format(
        "; under the strongest attack, {}, {} (95 % interval {} to {}), and scores move by {} points on average, {} of "
        "their spread",
        attack_name(*worst), show(measures.at("with_mos").at("srocc")), show(interval.at("low")),
        show(interval.at("high")), show(measures.at("change_mean"), "{:.1f}"),
        show(measures.at("change_share_of_spread")));
  }
  text += ".";
  if (!model.at("calibrated").get<bool>()) {
    text += " It is not calibrated: its points are not comparable.";
  }
  if (const auto& masking = model.at("masking"); !masking.is_null() && !masking.at("clear").get<bool>()) {
    text += " Some checks for masked gradients failed: white-box numbers may flatter it.";
  }
  return text;
}

/// How a model compares with the first under each attack; "" where that cannot be said.
std::string of_difference(const json& model, const json& first) {
  std::size_t better = 0;
  std::size_t worse = 0;
  for (const auto& attack : model.at("attacks")) {
    const auto& difference = attack.at("differences");
    if (difference.is_null() || difference.at("srocc_attacked").at("low").is_null()) {
      return "";
    }
    better += difference.at("srocc_attacked").at("low") > 0.0 ? 1 : 0;
    worse += difference.at("srocc_attacked").at("high") < 0.0 ? 1 : 0;
  }
  const auto count = model.at("attacks").size();
  return fmt::format(
      "{} keeps a higher SROCC to MOS than {} in {} of {} attacks and budgets, a lower one in {}; in the rest "
      "the paired 95 % interval holds 0.",
      model.at("label").get<std::string>(), first.at("label").get<std::string>(), better, count, worse);
}

}  // namespace

std::vector<std::string> verdict(const json& document) {
  std::vector<std::string> sentences;
  const auto& data = document.at("data");
  if (data.at("images") < data.at("expected_images")) {
    sentences.push_back(fmt::format("Not finished: {} of {} images. Every number below is of these alone.",
                                    data.at("images").get<std::int64_t>(),
                                    data.at("expected_images").get<std::int64_t>()));
  }
  const auto& models = document.at("models");
  for (const auto& model : models) {
    sentences.push_back(of_model(model));
    if (&model != &models.front() && !model.at("attacks").empty()) {
      if (auto text = of_difference(model, models.front()); !text.empty()) {
        sentences.push_back(std::move(text));
      }
    }
  }
  return sentences;
}

}  // namespace steadyiqa::report
