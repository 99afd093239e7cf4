#include "objective/regulariser.h"

#include "models/activation_checkpoint.h"
#include "models/conv_norm.h"
#include "models/layer_gradients.h"

#include <torch/csrc/autograd/forward_grad.h>
#include <torch/torch.h>

#include <algorithm>
#include <optional>

namespace steadyiqa::objective {

const FieldTable<RegulariserOptions>& regulariser_fields() {
  using R = RegulariserOptions;
  static const FieldTable<R> kFields = {
      field("regulariser", &R::regulariser, {"none", "nt"}, {.help = "nt: gradient-norm regularisation"}),
      field("lambda", &R::lambda, {.help = "weight of the penalty", .min = 0}),
      field("step", &R::step, {.help = "h of the finite difference, in the space of `unit`", .min = 1e-6, .max = 1}),
      field("unit", &R::unit, {"normalised", "pixel"},
            {.help = "space of h and of the norm: normalised as the authors' code, or [0,1] pixels"}),
      field("penalty", &R::penalty, {"squared", "l1"},
            {.help = "squared: mean D^2/2 (the authors' code); l1: mean |D| (the paper)"}),
      field("gradient", &R::gradient, {"finite-difference", "alternating", "central", "exact"},
            {.help = "how ||grad f||_1 is taken: upward difference (theirs), upward and downward by turns, central, or "
                     "exact"}),
      field("batch-norm", &R::batch_norm, {"train", "frozen"},
            {.help = "BatchNorm in the regulariser's passes: batch statistics (theirs) or running ones"}),
      field("relative-to", &R::relative_to, {"absolute", "relative"},
            {.help = "absolute: D (theirs; rewards a shrinking scale); relative: D / sd of the batch's scores"}),
      field("score-unit", &R::score_unit, {"points", "label"},
            {.help = "of an absolute D: points of the calibrated 0-100 scale, or the labels' own unit (theirs)"}),
      field("start-epoch", &R::start_epoch, {.help = "no regulariser before this epoch", .unit = "epochs", .min = 0}),
      field("ramp-epochs", &R::ramp_epochs,
            {.help = "lambda grows linearly over so many epochs", .unit = "epochs", .min = 0}),
      field(
          "clean-pass", &R::clean_pass, {"shared", "separate", "reused"},
          {.help = "shared: the loss's pass also gives the input gradient; separate: a third pass (theirs); reused: as "
                   "shared, and the input gradient's layer gradients give the loss's, for more memory"}),
  };
  return kFields;
}

double lambda_at(const RegulariserOptions& options, double epoch_position) {
  const double since_start = epoch_position - static_cast<double>(options.start_epoch);
  if (options.regulariser == RegulariserKind::kNone || since_start < 0) {
    return 0.0;
  }
  if (options.ramp_epochs == 0) {
    return options.lambda;
  }
  return options.lambda * std::min(since_start / static_cast<double>(options.ramp_epochs), 1.0);
}

namespace {

/// One level of forward-mode differentiation; tangents made inside die with it.
class TangentLevel {
 public:
  TangentLevel() : index_(torch::autograd::ForwardADLevel::get_next_idx()) {}
  ~TangentLevel() { torch::autograd::ForwardADLevel::release_idx(index_); }
  TangentLevel(const TangentLevel&) = delete;
  TangentLevel& operator=(const TangentLevel&) = delete;
  TangentLevel(TangentLevel&&) = delete;
  TangentLevel& operator=(TangentLevel&&) = delete;
  [[nodiscard]] std::int64_t index() const { return static_cast<std::int64_t>(index_); }

 private:
  std::uint64_t index_;
};

/// f(x) and its derivative along v, both with graphs to the parameters.
NormEstimate tangent_pass(const NetworkFn& network, const torch::Tensor& x, const torch::Tensor& v) {
  const TangentLevel level;
  const auto dual = network(at::_make_dual(x, v, level.index()));
  const auto [primal, tangent] = at::_unpack_dual(dual, level.index());
  return {tangent, primal};
}

/// sign(grad) scaled so that a step of h moves every pixel by h in the unit's space.
torch::Tensor direction(const torch::Tensor& gradient, StepUnit unit, const std::array<double, 3>& channel_std) {
  auto v = gradient.sign();
  if (unit == StepUnit::kPixel) {
    const auto scale =
        torch::tensor({1.0 / channel_std[0], 1.0 / channel_std[1], 1.0 / channel_std[2]}, gradient.options());
    v = v * scale.view({1, 3, 1, 1});
  }
  return v;
}

}  // namespace

NormEstimate gradient_norm_estimate(const NetworkFn& network, const torch::Tensor& x, const models::InputGradient& at_x,
                                    const std::array<double, 3>& channel_std, const RegulariserOptions& options) {
  torch::NoGradGuard no_grad;
  const auto v = direction(at_x.gradient, options.unit, channel_std);
  const double h = options.step;
  torch::AutoGradMode enable(true);
  switch (options.gradient) {
    case NormGradient::kExact:
      return tangent_pass(network, x, v);
    case NormGradient::kAlternating: {
      const auto step = h * (1 - 2 * torch::arange(x.size(0), x.options()).remainder(2));
      return {(network(x + step.view({-1, 1, 1, 1}) * v) - at_x.scores) / step, at_x.scores};
    }
    case NormGradient::kCentral:
      return {(network(x + h * v) - network(x - h * v)) / (2.0 * h), at_x.scores};
    case NormGradient::kFiniteDifference:
      break;
  }
  return {(network(x + h * v) - at_x.scores) / h, at_x.scores};
}

namespace {

/// What D is multiplied by.
torch::Tensor penalty_scale(const torch::Tensor& clean, const RegulariserOptions& options, const LabelContext& labels) {
  constexpr double kEps = 1e-6;  // a batch of equal scores must not divide by zero
  const auto spread = [&] { return clean.std(/*unbiased=*/false) + kEps; };
  if (options.relative_to == RelativeTo::kRelative) {
    return 1.0 / spread();
  }
  if (options.score_unit == ScoreUnit::kLabel) {
    return torch::ones({}, clean.options());
  }
  if (labels.scale_free) {
    return labels.points_per_label * labels.mos.std(/*unbiased=*/false) / spread();
  }
  return torch::full({}, labels.points_per_label, clean.options());
}

}  // namespace

torch::Tensor penalty_of(const NormEstimate& estimate, const RegulariserOptions& options, const LabelContext& labels) {
  const auto d = estimate.d * penalty_scale(estimate.clean, options, labels);
  return options.penalty == Penalty::kSquared ? d.square().mean() / 2.0 : d.abs().mean();
}

namespace {

/// One forward pass: every output, with the step's noise.
torch::Tensor outputs_of(models::Network& network, const torch::Tensor& x, const ObjectiveOptions& options) {
  torch::manual_seed(options.noise_seed);
  return network.outputs(x);
}

torch::Tensor score_of(const torch::Tensor& outputs) { return outputs.select(1, outputs.size(1) - 1); }

/// The regulariser's clean pass: D and the scores it was taken at, and every output of that pass.
struct CleanPassResult {
  NormEstimate estimate;
  torch::Tensor outputs;
};

/// That the input gradient's pass can give the parameters' layer gradients, too.
void require_reusable(models::Network& network, const RegulariserOptions& options) {
  if (models::batch_norm_training(network)) {
    fail_usage("clean-pass = reused needs batch-norm = frozen: batch statistics couple the images");
  }
  if (options.gradient == NormGradient::kExact) {
    fail_usage("clean-pass = reused does not go with gradient = exact, whose tangent pass gives the clean scores");
  }
}

void require_checkpointable(const RegulariserOptions& options) {
  if (options.regulariser == RegulariserKind::kNone) {
    return;
  }
  if (options.clean_pass == CleanPass::kReused) {
    fail_usage("checkpoint-activations does not go with clean-pass = reused, which keeps what the other throws away");
  }
  if (options.gradient == NormGradient::kExact) {
    fail_usage("checkpoint-activations does not go with gradient = exact: tangents are not taken through a block");
  }
}

/// As models::input_gradient with its graph kept, and layer gradients for both backward passes.
models::InputGradient reused_input_gradient(const models::Network& network, const NetworkFn& score,
                                            const torch::Tensor& x) {
  const models::KeptLayerGradients kept;
  auto at_x = models::input_gradient(score, x, /*keep_graph=*/true);
  at_x.scores = kept.joined(at_x.scores, network.parameters());
  return at_x;
}

CleanPassResult regulariser_passes(models::Network& network, const torch::Tensor& x, const ObjectiveOptions& options) {
  const bool exact = options.regulariser.gradient == NormGradient::kExact;
  if (exact && models::batch_norm_training(network)) {
    // libtorch's forward-mode formula of BatchNorm takes the batch's statistics as constants when the tangent is
    // differentiated by parameters (pytorch#81293): the penalty would be right and its gradient wrong.
    fail_usage("regulariser gradient = exact needs batch-norm = frozen in the regulariser's passes");
  }
  const bool reused = options.regulariser.clean_pass == CleanPass::kReused;
  if (reused) {
    require_reusable(network, options.regulariser);
  }
  CleanPassResult result;
  // The exact form's tangent pass gives the clean outputs anew, so the input gradient's own graph need not be kept.
  const NetworkFn clean = [&](const torch::Tensor& input) {
    result.outputs = outputs_of(network, input, options);
    return score_of(result.outputs);
  };
  const NetworkFn score = [&](const torch::Tensor& input) { return score_of(outputs_of(network, input, options)); };
  const auto at_x =
      reused ? reused_input_gradient(network, clean, x) : models::input_gradient(clean, x, /*keep_graph=*/!exact);
  if (reused) {
    if (result.outputs.size(1) != 1) {
      fail_usage("clean-pass = reused needs a network of one output; this one has {}", result.outputs.size(1));
    }
    result.outputs = at_x.scores.unsqueeze(1);
  }
  result.estimate = gradient_norm_estimate(exact ? clean : score, x, at_x, options.channel_std, options.regulariser);
  return result;
}

}  // namespace

Objective training_objective(models::Network& network, const torch::Tensor& x, const torch::Tensor& mos,
                             const ObjectiveOptions& options, double lambda) {
  const auto& regulariser = options.regulariser;
  Objective result;
  std::optional<models::CheckpointedActivations> checkpointed;
  if (options.checkpoint_activations) {
    require_checkpointable(regulariser);
    checkpointed.emplace();
  }
  std::optional<models::FoldedBatchNorm> folded;
  std::optional<models::LoweredTrunk> lowered;
  const auto set_weights = [&] {
    lowered.reset();
    if (options.fold_frozen && !models::batch_norm_training(network)) {
      folded.emplace(network);
    }
    lowered.emplace(network, options.precision);
  };
  set_weights();
  if (lambda <= 0.0) {
    const auto outputs = outputs_of(network, x, options);
    result.total = outputs_loss(outputs, mos, options.loss);
    result.loss = result.total.item<double>();
    result.predictions = score_of(outputs).detach();
    return result;
  }

  // One clean pass can serve both only where BatchNorm behaves alike in the loss and in the regulariser.
  const bool freeze = regulariser.batch_norm == BatchNormMode::kFrozen && models::batch_norm_training(network);
  std::optional<models::FrozenBatchNorm> frozen;
  torch::Tensor outputs;
  if (freeze || regulariser.clean_pass == CleanPass::kSeparate) {
    outputs = outputs_of(network, x, options);
  }
  if (freeze) {
    frozen.emplace(network);
    set_weights();
  }
  const auto passes = regulariser_passes(network, x, options);
  if (!outputs.defined()) {
    outputs = passes.outputs;
  }
  const auto score_term = outputs_loss(outputs, mos, options.loss);
  const auto penalty =
      penalty_of(passes.estimate, regulariser, {options.points_per_label, scale_free(options.loss.loss), mos});
  result.total = score_term + lambda * penalty;
  result.loss = score_term.item<double>();
  result.penalty = penalty.item<double>();
  result.mean_gradient_norm = passes.estimate.d.detach().abs().mean().item<double>();
  result.predictions = score_of(outputs).detach();
  return result;
}

void add_parameter_gradients(const Objective& objective, const models::Network& network) {
  std::vector<torch::Tensor> wanted;
  for (const auto& parameter : network.parameters()) {
    if (parameter.requires_grad()) {
      wanted.push_back(parameter);
    }
  }
  torch::autograd::backward({objective.total}, {}, /*retain_graph=*/false, /*create_graph=*/false, wanted);
}

}  // namespace steadyiqa::objective
