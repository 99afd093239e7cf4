// What an evaluation found: plain numbers, no tensors, so that reports can be made from it alone.
#pragma once

#include "stats/robustness.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace steadyiqa::evaluation {

/// One image under one model. Scores are calibrated, on the 0-100 scale, higher is better, not clipped, unless called
/// raw.
struct ImageResult {
  std::string name;
  double mos = 0;  ///< 0-100; NaN of an image without a rating
  double clean = 0;
  double clean_raw = 0;    ///< the network's own output
  double gradient_l1 = 0;  ///< ||grad_x f||_1 of the calibrated score, x in [0,1] pixels: points per unit of l-infinity
  // Under attack, after 8-bit rounding; absent when nothing was attacked.
  double attacked = 0;
  double attacked_raw = 0;
  double attacked_float = 0;  ///< before rounding
  int direction = 0;          ///< +1 up, -1 down, 0 mixed
  double linf_levels = 0;     ///< grey levels of 255
  double psnr = 0;            ///< dB, of attacked against clean; infinite when nothing changed
  double ssim = 0;            ///< NaN below 11 pixels
  double mse = 0;             ///< of [0,1] pixels
  std::int64_t model_calls = 0;
  bool own_training_image = false;  ///< what the attack was made from was trained on this image
};

/// Agreement of a list of scores with MOS (or with the clean scores), both 0-100.
struct Agreement {
  double srocc = 0;
  double plcc = 0;           ///< of the scores as they are
  double plcc_logistic = 0;  ///< after the 4-parameter logistic, fitted on this very set
  double krocc = 0;          ///< Kendall tau-b
  double rmse = 0;
  double mae = 0;
};

/// Measures of the attacked scores. `robustness` of raw scores beside the calibrated ones shows what a shrunken scale
/// would fake.
struct AttackedMeasures {
  Agreement with_mos;
  Agreement with_clean;
  stats::Robustness robustness;      ///< R on calibrated scores
  stats::Robustness robustness_raw;  ///< R on raw scores mapped to 0-100 as the labels are
  stats::ScoreChange change;         ///< calibrated points; share_of_spread has no unit
  double mean_psnr = 0;              ///< over the images that have one, as mean_ssim; NaN when none has
  double mean_ssim = 0;
  double max_linf_levels = 0;
  double mean_model_calls = 0;
  std::int64_t own_training_images = 0;  ///< images that flatter the attack: what it was made from was trained on them
  double mean_rho = 0;                   ///< |change before rounding| / (eps ||grad||_1): 1 = linear
};

struct AttackDescription {
  std::string name;
  nlohmann::json parameters = nlohmann::json::object();  ///< its own, all of them
  double epsilon = 0;                                    ///< [0,1] pixels
  int levels = 0;                                        ///< of 255, what 8-bit rounding keeps of epsilon
  std::string direction;
  std::string unit;
  bool operator==(const AttackDescription&) const = default;
};

/// What is said of an attack that has no purification to reckon with, and (first) of one that ignores it.
inline constexpr const char* kNoneNeeded = "none needed";
inline constexpr const char* kNotAdaptive = "off: not adaptive";

/// One model on one set, with or without an attack.
struct Evaluation {
  std::string model_path;
  std::string model_sha256;
  std::string model_name;            ///< e.g. "hyperiqa/mobilenet_v2"
  std::string score_name;            ///< what the scores are calibrated to
  std::string regulariser = "none";  ///< of its training, e.g. "relative, finite-difference, squared"
  double lambda = 0;                 ///< its weight; 0 = none
  bool calibrated = false;
  stats::Affine calibration;
  std::string crops;           ///< crop policy in words
  std::string device = "cpu";  ///< that its network ran on (parallel::device_name)
  std::string data_name;
  std::string data_digest;
  std::optional<AttackDescription> attack;
  std::string adaptive = kNoneNeeded;  ///< how the attack treats this model's purification (adaptive_text)
  std::string protocol;                ///< name of the protocol that asked for it, "" without one
  std::string protocol_digest;         ///< SHA-256 of all that was asked
  std::vector<ImageResult> images;
  std::int64_t expected_images = 0;           ///< of the set; fewer in `images`: a run that is not finished
  std::optional<double> seconds_per_image{};  ///< of the attack, judging included, on the machine that it ran on

  Agreement clean;
  double spread = 0;  ///< standard deviation of calibrated clean scores
  double spread_raw = 0;
  double mean_gradient_l1 = 0;
  std::optional<AttackedMeasures> attacked;
};

/// How every attack is judged, as outputs say it.
inline constexpr const char* kJudged = "after 8-bit rounding, fresh forward pass, eval mode";

/// NaN and infinity as null.
[[nodiscard]] nlohmann::json number_or_null(double value);

/// Fewer have no measures: the logistic fit needs four.
inline constexpr std::size_t kFewestImages = 4;

/// Fills in every set-level measure from `images`. `raw_to_0_100` is what raw scores stand for without calibration: of
/// the labels that the network learned, or of the data set's.
void summarise(Evaluation& evaluation, const stats::Affine& raw_to_0_100);

/// One row; `attacked` adds what was measured under attack. NaN and infinity become null.
[[nodiscard]] nlohmann::json to_json(const ImageResult& image, bool attacked);
/// Reads an attacked row back (null as NaN). Throws nlohmann::json::exception for one that is broken.
[[nodiscard]] ImageResult image_result_from(const nlohmann::json& json);

/// NaN and infinity become null. With `images`, the per-image rows, too.
[[nodiscard]] nlohmann::json to_json(const Evaluation& evaluation, bool images);

}  // namespace steadyiqa::evaluation
