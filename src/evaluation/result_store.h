// Results on disk: an SQLite file with a row for each (model, image, attack, budget, seed), written as soon as it is
// known, so that a killed run loses the image in hand and nothing finished is done again. docs/results.md has the
// schema for those who read it with pandas or SQL.
#pragma once

#include "evaluation/masking_report.h"
#include "evaluation/result.h"
#include "evaluation/sqlite.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::evaluation {

/// Of the schema; a file of another one is refused.
inline constexpr int kStoreFormat = 1;

/// What an attack is, apart from its victim and image. `context`: the digest of the image set of an attack on sets,
/// whose result on an image depends on all others.
struct StoredAttack {
  AttackDescription description;  ///< its epsilon and levels belong to the rows
  std::int64_t seed = 0;
  std::string adaptive;
  std::string context;
  /// 32 hex digits of the SHA-256 of everything but budget and seed.
  [[nodiscard]] std::string key() const;
};

/// A model as it is asked: file, preprocessing and device, whose rounding its scores have.
struct StoredModel {
  Evaluation head;               ///< as describe() gives it
  nlohmann::json preprocessing;  ///< everything between pixels and score that a flag could change
  stats::Affine raw_to_0_100;    ///< what raw scores stand for
  [[nodiscard]] std::string key() const;
};

/// An image of a set, in its order.
struct Member {
  std::string image;  ///< SHA-256 of the file
  std::string name;
  double mos = 0;  ///< 0-100
};

/// The first-order bound at one budget. Points of the calibrated score; changes are those of PGD without rounding.
struct BoundRow {
  double epsilon = 0;     ///< [0,1] pixels
  double bound_up = 0;    ///< sum over pixels of |gradient| times the room within budget and [0,1] in its direction
  double bound_down = 0;  ///< the same downward
  double change_up = 0;
  double change_down = 0;
};

/// What an attack did, to look at: the middle of the image, at its own resolution, as base64 PNG.
struct StoredPicture {
  std::string image;  ///< SHA-256 of the file
  double change = 0;  ///< |attacked - score|, points
  std::string clean;
  std::string attacked;
};

/// What was asked of a model on a set: all that a complete store holds.
struct StoredPlan {
  std::string protocol;         ///< name, "" without one
  std::string protocol_digest;  ///< SHA-256
  nlohmann::json protocol_document;
  std::string model;      ///< StoredModel::key
  std::string image_set;  ///< Dataset::digest
  std::string data_name;
  std::vector<StoredAttack> attacks;
  std::vector<double> bounds;
  [[nodiscard]] std::string key() const;
};

/// For one thread; several processes may hold the same file. Errors are Error(kInput) that name it.
class ResultStore {
 public:
  /// "": in memory. Creates the file unless `mode` says only to read.
  explicit ResultStore(const std::filesystem::path& path = {}, Database::Mode mode = Database::Mode::kReadWrite);

  /// Registers what the rows will be of. Members that differ from those stored under the same digest are an error.
  void begin(const StoredPlan& plan, const StoredModel& model, const std::vector<Member>& members);

  [[nodiscard]] std::optional<ImageResult> clean(const std::string& model, const std::string& image);
  void put_clean(const std::string& model, const std::string& image, const ImageResult& result);
  [[nodiscard]] bool has_attacked(const std::string& model, const std::string& image, const StoredAttack& attack);
  void put_attacked(const std::string& model, const std::string& image, const StoredAttack& attack,
                    const ImageResult& result, double seconds);
  [[nodiscard]] std::vector<BoundRow> bounds(const std::string& model, const std::string& image);
  void put_bound(const std::string& model, const std::string& image, const BoundRow& row);
  /// A small grey PNG of |gradient| over the image.
  void put_sensitivity(const std::string& model, const std::string& image, std::span<const std::byte> png);
  /// base64; "" where there is none.
  [[nodiscard]] std::string sensitivity(const std::string& model, const std::string& image);
  /// Whether the store would keep a picture of so large a change (of the few largest, ties by image).
  [[nodiscard]] bool wants_picture(const std::string& model, const StoredAttack& attack, const std::string& image,
                                   double change);
  void put_picture(const std::string& model, const StoredAttack& attack, const std::string& image,
                   const StoredPicture& picture);
  /// The largest change first.
  [[nodiscard]] std::vector<StoredPicture> pictures(const std::string& model, const StoredAttack& attack);
  void put_masking(const std::string& plan, const MaskingReport& report);
  [[nodiscard]] std::vector<MaskingReport> masking(const std::string& plan);

  /// Takes an image of a model for this process: false where another that lives has it.
  bool claim(const std::string& model, const std::string& image);
  void release(const std::string& model, const std::string& image);

  [[nodiscard]] std::vector<StoredPlan> plans();
  [[nodiscard]] std::vector<Member> members(const std::string& image_set);
  [[nodiscard]] StoredModel model(const std::string& key);
  /// The plan's evaluations, one for each attack (a clean one without attacks), of the images that are there;
  /// Evaluation::expected_images says how many there should be.
  [[nodiscard]] std::vector<Evaluation> evaluations(const StoredPlan& plan);

  /// Adds another store's rows. A row that is in both with other values is an Error(kNumeric): one of them is wrong.
  void merge(const std::filesystem::path& other);
  [[nodiscard]] Database& database() { return db_; }

 private:
  Database db_;
  std::int64_t worker_ = 0;  ///< this process in the table of workers; 0 before its first claim
  struct CloseLock {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, CloseLock> lock_;  ///< the file whose byte `worker_` is locked while this process lives

  void create_or_check();
  void prune_pictures();
  void become_worker();
  [[nodiscard]] bool is_alive(std::int64_t worker) const;
};

}  // namespace steadyiqa::evaluation
