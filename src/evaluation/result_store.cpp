#include "evaluation/result_store.h"

#include "base/base64.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/json_text.h"
#include "evaluation/store_schema.h"

#include <fcntl.h>

#include <cstdio>

namespace steadyiqa::evaluation {
namespace {

constexpr std::size_t kKeyDigits = 32;

std::string key_of(const nlohmann::json& content) { return sha256_hex(content.dump()).substr(0, kKeyDigits); }

nlohmann::json head_json(const StoredModel& model) {
  const auto& e = model.head;
  return {{"name", e.model_name},         {"score", e.score_name},
          {"regulariser", e.regulariser}, {"lambda", e.lambda},
          {"calibrated", e.calibrated},   {"crops", e.crops},
          {"device", e.device},           {"raw_to_0_100", {model.raw_to_0_100.slope, model.raw_to_0_100.intercept}}};
}

/// A locked byte of STORE-workers stands for a living worker, the first one (kCreation) for one that looks whether
/// there is a store yet and makes it; the lock goes with the process, however it ends.
constexpr std::int64_t kCreation = 0;

struct flock byte_lock(std::int64_t worker) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = worker;
  lock.l_len = 1;
  return lock;
}

}  // namespace

std::string StoredAttack::key() const {
  return key_of({description.name, description.parameters, description.direction, description.unit, adaptive, context});
}

std::string StoredModel::key() const {
  auto asked = nlohmann::json{head.model_sha256, preprocessing};
  if (head.device != "cpu") {
    asked.push_back(head.device);
  }
  return key_of(asked);
}

std::string StoredPlan::key() const { return key_of({protocol_digest, model, image_set}); }

ResultStore::ResultStore(const std::filesystem::path& path, Database::Mode mode) : db_(path, mode) {
  if (path.empty() || mode == Database::Mode::kReadOnly) {
    create_or_check();
    return;
  }
  // SQLite does not wait where two turn a new file to its write-ahead log at once: one of them fails.
  const auto workers = path.string() + "-workers";
  // To write, made if need be, closed in a program that this one starts.
  lock_.reset(std::fopen(workers.c_str(), "a+e"));
  auto lock = byte_lock(kCreation);
  if (!lock_ || ::fcntl(::fileno(lock_.get()), F_OFD_SETLKW, &lock) != 0) {
    fail_input("{}: cannot be opened and locked", workers);
  }
  create_or_check();
  lock.l_type = F_UNLCK;
  ::fcntl(::fileno(lock_.get()), F_OFD_SETLK, &lock);
}

void ResultStore::create_or_check() {
  const auto application = std::get<std::int64_t>(db_.first("PRAGMA application_id"));
  const auto format = std::get<std::int64_t>(db_.first("PRAGMA user_version"));
  if (application == kStoreApplicationId && format == kStoreFormat) {
    return;
  }
  if (application == kStoreApplicationId) {
    fail_input("{}: a result store of format {}, this version reads {}", db_.path().string(), format, kStoreFormat);
  }
  if (std::get<std::int64_t>(db_.first("SELECT count(*) FROM sqlite_master")) != 0 || application != 0) {
    fail_input("{}: an SQLite file, but no result store", db_.path().string());
  }
  db_.execute("PRAGMA journal_mode = WAL");
  db_.transaction([&] {
    // Another process may have been first.
    if (std::get<std::int64_t>(db_.first("PRAGMA user_version")) == 0) {
      db_.execute(kStoreSchema);
      db_.execute(
          fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kStoreApplicationId, kStoreFormat));
    }
  });
}

void ResultStore::begin(const StoredPlan& plan, const StoredModel& model, const std::vector<Member>& members) {
  const auto& head = model.head;
  db_.transaction([&] {
    db_.query("INSERT OR IGNORE INTO protocol VALUES (?1, ?2, ?3)",
              {plan.protocol_digest, plan.protocol, plan.protocol_document.dump()});
    db_.query("INSERT OR IGNORE INTO model VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
              {model.key(), head.model_sha256, head.model_path, json_text(head_json(model)), head.calibration.slope,
               head.calibration.intercept, model.preprocessing.dump()});
    db_.query("INSERT OR IGNORE INTO image_set VALUES (?1, ?2)", {plan.image_set, plan.data_name});
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto position = static_cast<std::int64_t>(i);
      db_.query("INSERT OR IGNORE INTO member VALUES (?1, ?2, ?3, ?4, ?5)",
                {plan.image_set, position, members[i].image, members[i].name, members[i].mos});
      const auto stored =
          db_.first("SELECT image FROM member WHERE image_set = ?1 AND position = ?2", {plan.image_set, position});
      if (std::get<std::string>(stored) != members[i].image) {
        fail_input("{}: the file of {} is not the one that the stored results are of", db_.path().string(),
                   members[i].name);
      }
    }
    db_.query("INSERT OR IGNORE INTO plan VALUES (?1, ?2, ?3, ?4)",
              {plan.key(), plan.protocol_digest, plan.model, plan.image_set});
    std::int64_t position = 0;
    for (const auto& attack : plan.attacks) {
      const auto& d = attack.description;
      db_.query("INSERT OR IGNORE INTO attack VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                {attack.key(), d.name, d.parameters.dump(), d.direction, d.unit, attack.adaptive, attack.context});
      db_.query("INSERT OR IGNORE INTO plan_attack VALUES (?1, ?2, ?3, ?4, ?5)",
                {plan.key(), position++, attack.key(), d.epsilon, attack.seed});
    }
  });
}

std::optional<ImageResult> ResultStore::clean(const std::string& model, const std::string& image) {
  std::optional<ImageResult> result;
  db_.query("SELECT raw_score, score, grad_l1_px FROM clean WHERE model = ?1 AND image = ?2", {model, image},
            [&](const SqlRow& row) {
              result.emplace();
              result->clean_raw = row.real(0);
              result->clean = row.real(1);
              result->gradient_l1 = row.real(2);
            });
  return result;
}

void ResultStore::put_clean(const std::string& model, const std::string& image, const ImageResult& result) {
  db_.query("INSERT OR IGNORE INTO clean VALUES (?1, ?2, ?3, ?4, ?5)",
            {model, image, result.clean_raw, result.clean, result.gradient_l1});
}

bool ResultStore::has_attacked(const std::string& model, const std::string& image, const StoredAttack& attack) {
  const auto found =
      db_.first("SELECT 1 FROM attacked WHERE model = ?1 AND image = ?2 AND attack = ?3 AND eps_px = ?4 AND seed = ?5",
                {model, image, attack.key(), attack.description.epsilon, attack.seed});
  return std::holds_alternative<std::int64_t>(found);
}

void ResultStore::put_attacked(const std::string& model, const std::string& image, const StoredAttack& attack,
                               const ImageResult& r, double seconds) {
  const auto key = attack.key();
  const double eps = attack.description.epsilon;
  db_.transaction([&] {
    db_.query(
        "INSERT OR IGNORE INTO attacked VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        {model, image, key, eps, attack.seed, r.attacked_raw, r.attacked, r.attacked_float,
         static_cast<std::int64_t>(r.direction), r.linf_levels, r.psnr, r.ssim, r.mse, r.model_calls,
         static_cast<std::int64_t>(r.own_training_image)});
    db_.query("INSERT OR IGNORE INTO timing VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
              {model, image, key, eps, attack.seed, seconds});
  });
}

std::vector<BoundRow> ResultStore::bounds(const std::string& model, const std::string& image) {
  std::vector<BoundRow> rows;
  db_.query(
      "SELECT eps_px, bound_up, bound_down, change_up, change_down FROM bound WHERE model = ?1 AND image = ?2 "
      "ORDER BY eps_px",
      {model, image}, [&](const SqlRow& row) {
        rows.push_back({row.real(0), row.real(1), row.real(2), row.real(3), row.real(4)});
      });
  return rows;
}

void ResultStore::put_bound(const std::string& model, const std::string& image, const BoundRow& row) {
  db_.query("INSERT OR IGNORE INTO bound VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            {model, image, row.epsilon, row.bound_up, row.bound_down, row.change_up, row.change_down});
}

void ResultStore::put_sensitivity(const std::string& model, const std::string& image, std::span<const std::byte> png) {
  db_.query("INSERT OR IGNORE INTO sensitivity VALUES (?1, ?2, ?3)", {model, image, base64(png)});
}

std::string ResultStore::sensitivity(const std::string& model, const std::string& image) {
  const auto found = db_.first("SELECT png FROM sensitivity WHERE model = ?1 AND image = ?2", {model, image});
  const auto* text = std::get_if<std::string>(&found);
  return text == nullptr ? "" : *text;
}

bool ResultStore::wants_picture(const std::string& model, const StoredAttack& attack, const std::string& image,
                                double change) {
  const auto better = db_.first(
      "SELECT count(*) FROM picture WHERE model = ?1 AND attack = ?2 AND eps_px = ?3 AND seed = ?4 "
      "AND (change > ?5 OR (change = ?5 AND image < ?6))",
      {model, attack.key(), attack.description.epsilon, attack.seed, change, image});
  return std::get<std::int64_t>(better) < kPictures;
}

void ResultStore::put_picture(const std::string& model, const StoredAttack& attack, const std::string& image,
                              const StoredPicture& picture) {
  db_.transaction([&] {
    db_.query("INSERT OR IGNORE INTO picture VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
              {model, image, attack.key(), attack.description.epsilon, attack.seed, picture.change, picture.clean,
               picture.attacked});
    prune_pictures();
  });
}

void ResultStore::prune_pictures() {
  db_.execute(fmt::format(
      "DELETE FROM picture WHERE (model, attack, eps_px, seed, image) IN (SELECT model, attack, eps_px, seed, image "
      "FROM (SELECT model, attack, eps_px, seed, image, row_number() OVER (PARTITION BY model, attack, eps_px, seed "
      "ORDER BY change DESC, image) AS place FROM picture) WHERE place > {})",
      kPictures));
}

std::vector<StoredPicture> ResultStore::pictures(const std::string& model, const StoredAttack& attack) {
  std::vector<StoredPicture> pictures;
  db_.query(
      "SELECT image, change, clean, attacked FROM picture WHERE model = ?1 AND attack = ?2 AND eps_px = ?3 AND "
      "seed = ?4 ORDER BY change DESC, image",
      {model, attack.key(), attack.description.epsilon, attack.seed}, [&](const SqlRow& row) {
        pictures.push_back({row.text(0), row.real(1), row.text(2), row.text(3)});
      });
  return pictures;
}

void ResultStore::put_masking(const std::string& plan, const MaskingReport& report) {
  db_.query("INSERT OR IGNORE INTO masking VALUES (?1, ?2)", {plan, to_json(report).dump()});
}

std::vector<MaskingReport> ResultStore::masking(const std::string& plan) {
  std::vector<MaskingReport> reports;
  db_.query("SELECT report FROM masking WHERE plan = ?1", {plan},
            [&](const SqlRow& row) { reports.push_back(masking_report_from(nlohmann::json::parse(row.text(0)))); });
  return reports;
}

void ResultStore::become_worker() {
  db_.query("INSERT INTO worker DEFAULT VALUES", {});
  worker_ = db_.last_row();
  auto lock = byte_lock(worker_);
  if (::fcntl(::fileno(lock_.get()), F_OFD_SETLK, &lock) != 0) {
    fail_input("{}-workers: cannot be locked", db_.path().string());
  }
}

bool ResultStore::is_alive(std::int64_t worker) const {
  auto lock = byte_lock(worker);
  return ::fcntl(::fileno(lock_.get()), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool ResultStore::claim(const std::string& model, const std::string& image) {
  if (db_.path().empty()) {
    return true;  // nobody else can see it
  }
  if (worker_ == 0) {
    become_worker();
  }
  bool mine = false;
  db_.transaction([&] {
    const auto holder = db_.first("SELECT worker FROM claim WHERE model = ?1 AND image = ?2", {model, image});
    const auto* other = std::get_if<std::int64_t>(&holder);
    mine = other == nullptr || *other == worker_ || !is_alive(*other);
    if (mine) {
      db_.query("INSERT OR REPLACE INTO claim VALUES (?1, ?2, ?3)", {model, image, worker_});
    }
  });
  return mine;
}

void ResultStore::release(const std::string& model, const std::string& image) {
  db_.query("DELETE FROM claim WHERE model = ?1 AND image = ?2 AND worker = ?3", {model, image, worker_});
}

}  // namespace steadyiqa::evaluation
