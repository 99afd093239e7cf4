// The half of the result store that makes evaluations from rows, and joins stores.
#include "attacks/problem.h"
#include "base/error.h"
#include "evaluation/result_store.h"
#include "evaluation/store_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

namespace steadyiqa::evaluation {
namespace {

/// The attack that a row of plan_attack joined with attack tells.
StoredAttack attack_from(const SqlRow& row) {
  StoredAttack attack;
  auto& d = attack.description;
  d.name = row.text(0);
  d.parameters = nlohmann::json::parse(row.text(1));
  d.direction = row.text(2);
  d.unit = row.text(3);
  attack.adaptive = row.text(4);
  attack.context = row.text(5);
  d.epsilon = row.real(6);
  d.levels = attacks::budget_levels(d.epsilon);
  attack.seed = row.integer(7);
  return attack;
}

}  // namespace

std::vector<StoredPlan> ResultStore::plans() {
  std::vector<StoredPlan> plans;
  db_.query(
      "SELECT protocol.name, protocol.digest, protocol.document, plan.model, plan.image_set, image_set.name, plan.plan "
      "FROM plan JOIN protocol ON protocol.digest = plan.protocol JOIN image_set USING (image_set) "
      "JOIN model USING (model) ORDER BY protocol.name, protocol.digest, image_set.name, model.path, plan.plan",
      {}, [&](const SqlRow& row) {
        StoredPlan plan{.protocol = row.text(0),
                        .protocol_digest = row.text(1),
                        .protocol_document = nlohmann::json::parse(row.text(2)),
                        .model = row.text(3),
                        .image_set = row.text(4),
                        .data_name = row.text(5),
                        .attacks = {},
                        .bounds = {}};
        plan.bounds = plan.protocol_document.value("bounds_px", std::vector<double>{});
        db_.query(
            "SELECT name, parameters, direction, unit, adaptive, context, eps_px, seed FROM plan_attack "
            "JOIN attack USING (attack) WHERE plan = ?1 ORDER BY position",
            {row.text(6)}, [&](const SqlRow& attack) { plan.attacks.push_back(attack_from(attack)); });
        plans.push_back(std::move(plan));
      });
  return plans;
}

std::vector<Member> ResultStore::members(const std::string& image_set) {
  std::vector<Member> members;
  db_.query("SELECT image, name, mos FROM member WHERE image_set = ?1 ORDER BY position", {image_set},
            [&](const SqlRow& row) {
              members.push_back({row.text(0), row.text(1), row.real(2)});
            });
  return members;
}

StoredModel ResultStore::model(const std::string& key) {
  StoredModel model;
  bool found = false;
  db_.query("SELECT sha256, path, description, slope, intercept, preprocessing FROM model WHERE model = ?1", {key},
            [&](const SqlRow& row) {
              found = true;
              auto& e = model.head;
              const auto json = nlohmann::json::parse(row.text(2));
              e.model_sha256 = row.text(0);
              e.model_path = row.text(1);
              e.model_name = json.at("name").get<std::string>();
              e.score_name = json.at("score").get<std::string>();
              e.regulariser = json.at("regulariser").get<std::string>();
              e.lambda = json.at("lambda").get<double>();
              e.calibrated = json.at("calibrated").get<bool>();
              e.crops = json.at("crops").get<std::string>();
              e.device = json.value("device", e.device);  // a store of before there were others has none
              const auto line = json.at("raw_to_0_100").get<std::array<double, 2>>();
              model.raw_to_0_100 = {line[0], line[1]};
              e.calibration = {row.real(3), row.real(4)};
              model.preprocessing = nlohmann::json::parse(row.text(5));
            });
  if (!found) {
    fail_input("{}: no model {}", db_.path().string(), key);
  }
  return model;
}

namespace {

constexpr const char* kCleanColumns = "SELECT position, member.name, mos, raw_score, score, grad_l1_px";
constexpr const char* kCleanRows = " FROM member JOIN clean ON clean.image = member.image AND clean.model = ?1";

ImageResult clean_from(const SqlRow& row) {
  ImageResult r;
  r.name = row.text(1);
  r.mos = row.real(2);
  r.clean_raw = row.real(3);
  r.clean = row.real(4);
  r.gradient_l1 = row.real(5);
  return r;
}

struct TimedResult {
  ImageResult result;
  double seconds = 0;  ///< NaN: not known
};
/// By the image's position in the set.
using Rows = std::map<std::int64_t, TimedResult>;

Rows attacked_rows(Database& db, const StoredPlan& plan, const StoredAttack& attack) {
  Rows rows;
  const std::string sql =
      std::string(kCleanColumns) +
      ", attacked, attacked_raw, attacked_float, attacked.direction, linf_levels, psnr_db, ssim, mse, model_calls, "
      "own_training_image, seconds" +
      kCleanRows +
      " JOIN attacked ON attacked.model = clean.model AND attacked.image = clean.image"
      " LEFT JOIN timing USING (model, image, attack, eps_px, seed)"
      " WHERE image_set = ?2 AND attacked.attack = ?3 AND attacked.eps_px = ?4 AND attacked.seed = ?5";
  db.query(sql, {plan.model, plan.image_set, attack.key(), attack.description.epsilon, attack.seed},
           [&](const SqlRow& row) {
             auto r = clean_from(row);
             r.attacked = row.real(6);
             r.attacked_raw = row.real(7);
             r.attacked_float = row.real(8);
             r.direction = static_cast<int>(row.integer(9));
             r.linf_levels = row.real(10);
             r.psnr = row.real(11);
             r.ssim = row.real(12);
             r.mse = row.real(13);
             r.model_calls = row.integer(14);
             r.own_training_image = row.integer(15) != 0;
             rows[row.integer(0)] = {std::move(r), row.real(16)};
           });
  return rows;
}

/// Only the images that every attack has done.
void keep_common(std::vector<Rows>& lists) {
  for (auto& rows : lists) {
    std::erase_if(rows, [&](const auto& row) {
      return std::ranges::any_of(lists, [&](const Rows& other) { return !other.contains(row.first); });
    });
  }
}

}  // namespace

std::vector<Evaluation> ResultStore::evaluations(const StoredPlan& plan) {
  const auto stored = model(plan.model);
  Evaluation base = stored.head;
  base.data_name = plan.data_name;
  base.data_digest = plan.image_set;
  base.protocol = plan.protocol;
  base.protocol_digest = plan.protocol_digest;
  base.expected_images = static_cast<std::int64_t>(members(plan.image_set).size());
  std::vector<Rows> lists;
  for (const auto& attack : plan.attacks) {
    lists.push_back(attacked_rows(db_, plan, attack));
  }
  keep_common(lists);
  if (plan.attacks.empty()) {
    auto& rows = lists.emplace_back();
    db_.query(std::string(kCleanColumns) + kCleanRows + " WHERE image_set = ?2", {plan.model, plan.image_set},
              [&](const SqlRow& row) {
                rows[row.integer(0)] = {clean_from(row), std::nan("")};
              });
  }
  std::vector<Evaluation> evaluations;
  for (std::size_t a = 0; a < lists.size(); ++a) {
    auto& e = evaluations.emplace_back(base);
    double seconds = 0;
    for (auto& [position, row] : lists[a]) {
      seconds += row.seconds;
      e.images.push_back(std::move(row.result));
    }
    if (!plan.attacks.empty()) {
      e.attack = plan.attacks[a].description;
      e.adaptive = plan.attacks[a].adaptive;
      if (!e.images.empty() && !std::isnan(seconds)) {
        e.seconds_per_image = seconds / static_cast<double>(e.images.size());
      }
    }
    if (e.images.size() >= kFewestImages) {
      summarise(e, stored.raw_to_0_100);
    }
  }
  return evaluations;
}

void ResultStore::merge(const std::filesystem::path& other) {
  {
    const ResultStore check(other, Database::Mode::kReadOnly);  // that it is a store
  }
  db_.query("ATTACH DATABASE ?1 AS other", {other.string()});
  try {
    db_.transaction([&] {
      for (const std::string table : kResultTables) {
        db_.execute(fmt::format("INSERT OR IGNORE INTO main.{0} SELECT * FROM other.{0}", table));
        // A model's path is what it was called, not what it is.
        const auto missing =
            table == "model"
                ? 0
                : std::get<std::int64_t>(db_.first(fmt::format(
                      "SELECT count(*) FROM (SELECT * FROM other.{0} EXCEPT SELECT * FROM main.{0})", table)));
        if (missing != 0) {
          fail(ErrorKind::kNumeric, "{}: {} rows of table {} differ from those of {}: one of them is wrong",
               other.string(), missing, table, db_.path().string());
        }
      }
      for (const char* table : {"timing", "picture"}) {
        db_.execute(fmt::format("INSERT OR IGNORE INTO main.{0} SELECT * FROM other.{0}", table));
      }
      prune_pictures();
    });
  } catch (...) {
    db_.execute("DETACH DATABASE other");
    throw;
  }
  db_.execute("DETACH DATABASE other");
}

}  // namespace steadyiqa::evaluation
