// Gradient-norm regularisation, NT (Liu et al., CVPR 2024, arXiv 2403.11397): for ||d||_inf <= eps the score changes by
// at most about eps * ||grad_x f||_1, so that l1 norm is penalised in training.
#pragma once

#include "base/options.h"
#include "models/network.h"
#include "models/precision.h"
#include "objective/losses.h"

#include <torch/types.h>

#include <array>
#include <cstdint>
#include <functional>

namespace steadyiqa::objective {

enum class RegulariserKind { kNone, kNt };
enum class StepUnit { kNormalised, kPixel };
enum class Penalty { kSquared, kL1 };
enum class NormGradient { kFiniteDifference, kAlternating, kCentral, kExact };
enum class BatchNormMode { kTrain, kFrozen };
enum class RelativeTo { kAbsolute, kRelative };
enum class ScoreUnit { kPoints, kLabel };
enum class CleanPass { kShared, kSeparate, kReused };

struct RegulariserOptions {
  RegulariserKind regulariser = RegulariserKind::kNone;
  double lambda = 1e-3;                   ///< weight of the penalty
  double step = 0.01;                     ///< h of the finite difference
  StepUnit unit = StepUnit::kNormalised;  ///< space of h and of the norm
  Penalty penalty = Penalty::kSquared;
  NormGradient gradient = NormGradient::kAlternating;
  BatchNormMode batch_norm = BatchNormMode::kFrozen;
  RelativeTo relative_to = RelativeTo::kAbsolute;
  ScoreUnit score_unit = ScoreUnit::kPoints;  ///< of D where it is absolute
  std::int64_t start_epoch = 0;               ///< no regulariser before it
  std::int64_t ramp_epochs = 0;               ///< lambda grows linearly over so many epochs from `start_epoch` on
  CleanPass clean_pass = CleanPass::kShared;
};
[[nodiscard]] const FieldTable<RegulariserOptions>& regulariser_fields();

/// lambda at a point of training, `epoch_position` in epochs from 0 (fractions within an epoch).
[[nodiscard]] double lambda_at(const RegulariserOptions& options, double epoch_position);

/// D_b of each image, [N], with its graph to the parameters: an estimate of ||grad_x f||_1.
///   finite difference  (f(x + h v) - f(x)) / h         v = sign(grad_x f), held constant   (the authors' code)
///   alternating        the same, and for every second image of the batch (f(x) - f(x - h v)) / h: batches are
///   shuffled,
///                      so each image meets both sides, at the cost of one. A penalty on one side alone is met by a
///                      score that no longer rises and falls as before (docs/nt.md).
///   central            (f(x + h v) - f(x - h v)) / 2h
///   exact              the derivative of f along v = ||grad_x f||_1, by a tangent pass. With v constant its parameter
///   gradient is
///                      that of ||grad_x f||_1 itself (the sign's derivative is 0 almost everywhere), at the cost of
///                      about one more forward pass instead of a double backward pass.
/// `clean` are the scores f(x) with graph, `input_gradient` d sum(f)/dx in normalised space.
struct NormEstimate {
  torch::Tensor d;      ///< in the network's own score unit
  torch::Tensor clean;  ///< the scores that D was taken at
};
using NetworkFn = std::function<torch::Tensor(const torch::Tensor&)>;
[[nodiscard]] NormEstimate gradient_norm_estimate(const NetworkFn& network, const torch::Tensor& x,
                                                  const models::InputGradient& at_x,
                                                  const std::array<double, 3>& channel_std,
                                                  const RegulariserOptions& options);

/// What an absolute penalty in points needs to know of the labels.
struct LabelContext {
  double points_per_label = 1;  ///< points of the 0-100 scale in one unit of what the network learns
  bool scale_free = false;      ///< of the loss (objective::scale_free)
  torch::Tensor mos{};          ///< [N], the batch's labels; used where the loss is scale-free
};

/// The penalty without lambda: squared = mean(D^2)/2 (the authors' code), l1 = mean |D| (the paper), of D times
///   relative  1 / sd(clean scores of the batch), its gradient kept: shrinking the scale gains nothing
///   absolute  label (the authors' code): 1, D in the network's own score unit, whatever that is
///             points: D as the score would move on the calibrated 0-100 scale, so that lambda means the same for every
///             model and label scale. A loss in label units ties scores to labels: points_per_label. A scale-free loss
///             leaves that to calibration, which gives the scores the labels' spread: points_per_label x sd(mos) /
///             sd(clean scores), its gradient kept.
/// Standard deviations are of the population.
[[nodiscard]] torch::Tensor penalty_of(const NormEstimate& estimate, const RegulariserOptions& options,
                                       const LabelContext& labels = {});

/// What an objective is made of.
struct ObjectiveOptions {
  LossOptions loss{};
  RegulariserOptions regulariser{};
  std::array<double, 3> channel_std{1, 1, 1};  ///< of the normalisation, for the pixel unit
  std::uint64_t noise_seed = 0;                ///< of Dropout and DropPath, which all passes of a step share
  double points_per_label = 1;                 ///< points of the 0-100 scale in one unit of the raw labels
  bool fold_frozen = true;  ///< BatchNorm by running statistics is folded into the convolutions (models/conv_norm.h);
                            ///< false: rounding as the layers are written, to compare with another program
  models::Precision precision = models::Precision::kFloat32;  ///< of the trunk, in all passes of the step
  bool checkpoint_activations = false;  ///< models/activation_checkpoint.h: less memory, more time
};

struct Objective {
  torch::Tensor total;        ///< scalar with graph: loss + lambda * penalty
  torch::Tensor predictions;  ///< [N], detached
  double loss = 0;
  double penalty = 0;             ///< without lambda
  double mean_gradient_norm = 0;  ///< mean |D|, in the regulariser's unit; 0 without regulariser
};

/// One step's objective on normalised x [N,3,S,S] and MOS [N]. Two forward passes with NT: the clean pass serves the
/// loss and the input gradient, when BatchNorm behaves alike in both (otherwise, or with clean_pass separate, the
/// regulariser makes its own: three, as the authors' code). With clean_pass reused, the input gradient's backward pass
/// also serves the clean scores' parameter gradient (models/layer_gradients.h): the same gradients, but for rounding.
/// Throws Error(kUsage) where that cannot be: BatchNorm by batch statistics in the regulariser's passes, gradient
/// exact, a network of several outputs. Checkpointed activations go with neither clean_pass reused nor gradient exact
/// (Error(kUsage), too). `lambda` is the ramped weight; at 0 the regulariser is skipped. libtorch's
/// default generator is set to `noise_seed` before each pass: with other masks in each, a finite difference would
/// measure them divided by h, and a resumed run would draw others than an undisturbed one.
[[nodiscard]] Objective training_objective(models::Network& network, const torch::Tensor& x, const torch::Tensor& mos,
                                           const ObjectiveOptions& options, double lambda);

/// Adds d total / d parameter to each parameter's gradient. As total.backward(), which would also take the gradient of
/// the clean pass's images once more: the dearest of the first convolution's three.
void add_parameter_gradients(const Objective& objective, const models::Network& network);

}  // namespace steadyiqa::objective
