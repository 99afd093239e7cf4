#include "report/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace steadyiqa::report {
namespace {

using nlohmann::json;

std::string show(const json& value, const char* format = "{:.2f}") {
  return value.is_null() ? "-" : fmt::format(fmt::runtime(format), value.get<double>());
}

/// The attack that moves scores furthest, in shares of their spread; null where there is none.
const json* strongest(const json& model) {
  const json* worst = nullptr;
  const auto moved = [](const json& attack) { return attack.at("measures").at("change_share_of_spread"); };
  for (const auto& attack : model.at("attacks")) {
    if (!moved(attack).is_null() && (worst == nullptr || moved(attack) > moved(*worst))) {
      worst = &attack;
    }
  }
  return worst;
}

std::string attack_at_budget(const json& attack) {
  return fmt::format("{} at {:g}/255", attack.at("name").get<std::string>(), attack.at("eps_px").get<double>() * 255.0);
}

std::string interval(const json& attack, const char* measure) {
  const auto& range = attack.at("intervals").at(measure);
  return fmt::format("95 % interval {} to {}", show(range.at("low")), show(range.at("high")));
}

std::string of_model(const json& model) {
  auto text = fmt::format("{}: clean SROCC to MOS {}", model.at("label").get<std::string>(),
                          show(model.at("clean").at("srocc")));
  if (const auto* worst = strongest(model); worst != nullptr) {
    const auto& measures = worst->at("measures");
    text += fmt::format(
        "; under the strongest attack, {}, scores move by {} points on average, {} of their spread ({}), and SROCC to "
        "MOS is {} ({})",
        attack_at_budget(*worst), show(measures.at("change_mean"), "{:.1f}"),
        show(measures.at("change_share_of_spread")), interval(*worst, "change_share_of_spread"),
        show(measures.at("with_mos").at("srocc")), interval(*worst, "srocc_attacked"));
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

struct Wins {
  std::size_t better = 0;
  std::size_t worse = 0;
};

/// Attacks and budgets whose paired interval of a measure leaves out 0; nothing where one has no interval.
std::optional<Wins> wins(const json& model, const char* measure, bool higher_is_better) {
  Wins wins;
  for (const auto& attack : model.at("attacks")) {
    const auto& difference = attack.at("differences");
    if (difference.is_null() || difference.at(measure).at("low").is_null()) {
      return std::nullopt;
    }
    const bool above = difference.at(measure).at("low") > 0.0;
    const bool below = difference.at(measure).at("high") < 0.0;
    wins.better += (higher_is_better ? above : below) ? 1 : 0;
    wins.worse += (higher_is_better ? below : above) ? 1 : 0;
  }
  return wins;
}

/// How a model compares with the first under each attack; "" where that cannot be said.
std::string of_difference(const json& model, const json& first) {
  const auto change = wins(model, "change_share_of_spread", false);
  const auto srocc = wins(model, "srocc_attacked", true);
  if (!change || !srocc) {
    return "";
  }
  return fmt::format(
      "Of {} attacks and budgets, the scores of {} move less than those of {}, for their spread, in {}, further in {}; "
      "its SROCC to MOS is higher in {}, lower in {}; in the rest the paired 95 % interval holds 0.",
      model.at("attacks").size(), model.at("label").get<std::string>(), first.at("label").get<std::string>(),
      change->better, change->worse, srocc->better, srocc->worse);
}

/// Attacks that do not aim at the ranking leave an SROCC that must not be read as the least there is.
std::string of_directions(const json& model) {
  const bool elsewhere = std::ranges::any_of(model.at("attacks"), [](const json& attack) {
    return !attack.at("direction").get<std::string>().starts_with("mid");
  });
  return elsewhere
             ? "SROCC under attack is comparable between models where the direction is mid (high scores down, low ones "
               "up). Pushed one way, or each image whichever way is further (both), scores can lose or keep their "
               "order by the way they take: read how far they move."
             : "";
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
  if (auto text = of_directions(models.front()); !text.empty()) {
    sentences.push_back(std::move(text));
  }
  return sentences;
}

}  // namespace steadyiqa::report
