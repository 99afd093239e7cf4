// Attack packs: a folder of attacked images with what was done to them, which anyone can check and run against other
// models.
//
//   pack.json                  format, attack, budget, model, data: what holds for every image
//   rows.jsonl                 a line for each finished image; a killed run goes on after the last
//   clean/NNNNNN-NAME.png      what was attacked, 8 bits (unit crop: the crops, one below the other)
//   attacked/NNNNNN-NAME.png
#pragma once

#include "attacks/attack.h"
#include "checkpoint/model_file.h"
#include "evaluation/result.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace steadyiqa::evaluation {

inline constexpr int kPackFormat = 1;

/// What holds for every image of a pack.
struct PackConfig {
  AttackDescription attack{};
  std::int64_t seed = 0;
  std::string adaptive = kNoneNeeded;  ///< how it treats the victim's purification (adaptive_text)
  std::string victim;                  ///< e.g. "hyperiqa/mobilenet_v2", or the command or URL that was asked
  std::string victim_sha256;           ///< of the model file; "" for a command or URL
  std::string preprocessing;           ///< crop policy in words
  stats::Affine calibration{};
  std::string data_name;  ///< "" for loose images
};

/// One image. Scores are the victim's, calibrated to 0-100; raw beside them.
struct PackRow {
  std::string name;
  std::string file;  ///< under clean/ and attacked/
  std::string clean_sha256;
  std::string attacked_sha256;
  ImageResult result{};
};

struct Pack {
  std::filesystem::path dir;
  PackConfig config;
  std::vector<PackRow> rows;
};

/// Fills a pack, image by image. Opening a folder that holds rows goes on with them; Error(kUsage) when they were made
/// with another config.
class PackWriter {
 public:
  PackWriter(std::filesystem::path dir, PackConfig config);
  [[nodiscard]] bool has(const std::string& name) const;
  [[nodiscard]] const std::vector<PackRow>& rows() const { return pack_.rows; }
  [[nodiscard]] const std::string& adaptive() const { return pack_.config.adaptive; }
  /// Writes both images, then the row. `result.name` is the image's name.
  void add(const torch::Tensor& clean, const torch::Tensor& attacked, const ImageResult& result);

 private:
  Pack pack_;
};

/// Throws Error(kInput) naming the folder or file for what is no pack, broken or of a newer format.
[[nodiscard]] Pack read_pack(const std::filesystem::path& dir);

/// Everything about a pack that does not hold: a line each, none when all is well. Digests of both images, the budget
/// by their pixels, and with the victim's model the scores of both (within 1e-3 points).
[[nodiscard]] std::vector<std::string> verify_pack(const Pack& pack, const checkpoint::LoadedModel* model);

/// The pack's images under another model: its attack transferred. Unit image only (Error(kInput) else). Rows without
/// MOS leave the measures that compare with it NaN.
[[nodiscard]] Evaluation evaluate_pack(const checkpoint::LoadedModel& model, const std::string& model_path,
                                       const Pack& pack);

}  // namespace steadyiqa::evaluation
