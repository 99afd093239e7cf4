// One model on one data set, clean and attacked.
#pragma once

#include "attacks/attack.h"
#include "checkpoint/model_file.h"
#include "data/dataset.h"
#include "evaluation/result.h"
#include "evaluation/run.h"

#include <string>
#include <vector>

namespace steadyiqa::evaluation {

/// Scores every sample and, for each attack, attacks it. One Evaluation per attack, or a single clean one when there is
/// none. An attack with direction mid on a model without calibration is an Error(kInput): its scores have no mid-point.
/// It is run.h's fill on a store in memory.
[[nodiscard]] std::vector<Evaluation> evaluate(const checkpoint::LoadedModel& model, const std::string& model_path,
                                               const data::Dataset& dataset,
                                               const std::vector<attacks::AttackOptions>& attack_list,
                                               const Watch& watch = {});

/// The plan's evaluations, with a warning where an attack was trained on the images it was run on.
[[nodiscard]] std::vector<Evaluation> collect(ResultStore& store, const StoredPlan& plan);

/// What an Evaluation says of model and data, before any image.
[[nodiscard]] Evaluation describe(const checkpoint::LoadedModel& model, const std::string& model_path,
                                  const data::Dataset& dataset);
/// What it says of an attack.
[[nodiscard]] AttackDescription describe(const attacks::AttackOptions& options);
/// What an attack does about a victim's purification: kNoneNeeded where there is none or only scores are asked for;
/// how its gradient is made, "BPDA (jpeg), EOT 8 draws"; or kNotAdaptive, with a reason where it is not --adaptive off.
[[nodiscard]] std::string adaptive_text(const models::ScorerOptions& victim, const attacks::AttackOptions& options);
/// Logs a warning where that is kNotAdaptive.
void warn_where_not_adaptive(const std::string& model_path, const models::ScorerOptions& victim,
                             const attacks::AttackOptions& options);
/// Throws Error(kInput) for an attack with direction mid on a model without calibration: its scores have no mid-point.
void require_midpoint(const checkpoint::LoadedModel& model, const std::string& model_path,
                      const attacks::AttackOptions& options);
/// Logs what makes an attack's results less than they seem: Attack::caveats ...
void warn_of_caveats(const attacks::Attack& attack, const std::string& victim_sha256);
/// ... and that `count` of the images are those that it, or its source, was trained on (nothing for none).
void warn_of_training_images(const attacks::AttackSpec& attack, std::int64_t count, std::size_t images);
/// The score that each of the set's images is to reach under an attack on sets; empty for any other attack.
[[nodiscard]] std::vector<double> attack_targets(const models::Scorer& scorer, const data::Dataset& dataset,
                                                 const attacks::AttackOptions& options);
struct CleanImage {
  ImageResult result;
  torch::Tensor gradient;  ///< of the calibrated score, shape of the pixels
};
/// One clean image: its scores and input gradient. `pixels`: [1,3,H,W].
[[nodiscard]] CleanImage clean_image(const models::Scorer& scorer, const std::string& name, double mos,
                                     const torch::Tensor& pixels);
/// Puts what an attack did into `result`: scores by `calibration`, fidelity averaged over the image's items (crops).
void add_attack(ImageResult& result, const attacks::AttackResult& attack, const stats::Affine& calibration);
/// What raw scores stand for: by the labels that the model learned where it says so, else by the data set's.
[[nodiscard]] stats::Affine raw_to_0_100(const models::Scorer& scorer, const stats::LabelScale& labels);

}  // namespace steadyiqa::evaluation
