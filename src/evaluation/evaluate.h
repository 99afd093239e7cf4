// One model on one data set, clean and attacked.
#pragma once

#include "attacks/attack.h"
#include "checkpoint/model_file.h"
#include "data/dataset.h"
#include "evaluation/result.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace steadyiqa::evaluation {

/// Called with the clean and attacked pixels of each image under each attack (indices into the lists) while they are at
/// hand.
using Watch = std::function<void(std::size_t image, std::size_t attack, const torch::Tensor& clean,
                                 const attacks::AttackResult& result)>;

/// Scores every sample and, for each attack, attacks it. One Evaluation per attack, or a single clean one when there is
/// none. An attack with direction mid on a model without calibration is an Error(kInput): its scores have no mid-point.
[[nodiscard]] std::vector<Evaluation> evaluate(const checkpoint::LoadedModel& model, const std::string& model_path,
                                               const data::Dataset& dataset,
                                               const std::vector<attacks::AttackOptions>& attack_list,
                                               const Watch& watch = {});

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
/// One clean image: its scores and input gradient. `pixels`: [1,3,H,W].
[[nodiscard]] ImageResult clean_result(const models::Scorer& scorer, const std::string& name, double mos,
                                       const torch::Tensor& pixels);
/// Puts what an attack did into `result`: scores by `calibration`, fidelity averaged over the image's items (crops).
void add_attack(ImageResult& result, const attacks::AttackResult& attack, const stats::Affine& calibration);
/// What raw scores stand for: by the labels that the model learned where it says so, else by the data set's.
[[nodiscard]] stats::Affine raw_to_0_100(const models::Scorer& scorer, const stats::LabelScale& labels);

}  // namespace steadyiqa::evaluation
