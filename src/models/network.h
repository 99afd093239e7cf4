// What every NR-IQA network offers: normalised crops in, raw scores out.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::models {

/// A score as a weighted mean over tokens (MANIQA): the crops of one image can then be pooled by all their tokens at
/// once.
struct WeightedScores {
  torch::Tensor weighted;  ///< [N], sum of weight x score over the crop's tokens
  torch::Tensor weight;    ///< [N], sum of the weights; the crop's own score is weighted / weight
};

/// A network on its own scale: no resizing, no cropping, no normalisation, no calibration (those are the Scorer's).
class Network : public torch::nn::Module {
 public:
  /// x: [N,3,S,S] float, RGB, normalised (x - mean) / std; S as the catalogue says. Returns [N] raw scores, also for N
  /// = 1.
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
  /// All that the network says of each image, for losses that want more than the score: [N,K] for the same x. The last
  /// column is the score.
  virtual torch::Tensor outputs(const torch::Tensor& x) { return forward(x).unsqueeze(1); }
  /// Images that a batch has at least in training mode.
  [[nodiscard]] virtual std::int64_t least_training_batch() const { return 1; }
  /// The parts of each crop's score, for image::Pooling::kWeighted. As it stands here: every crop weighs 1.
  virtual WeightedScores forward_weighted(const torch::Tensor& x);
  /// Parameters of the pretrained trunk (the lower learning rate) by name prefix, e.g. "res."; "" when there is no
  /// trunk.
  [[nodiscard]] virtual std::string trunk_prefix() const { return ""; }
  /// Name of the bias that is added to every score, "" when there is none: training may start it at the mean MOS.
  [[nodiscard]] virtual std::string output_bias() const { return ""; }
  /// Whether the trunk can compute in another type than float32 (models/precision.h): forward then gives it
  /// `to_trunk(x)` and takes back float32. "" as trunk_prefix then means every convolution.
  [[nodiscard]] virtual bool lowers_trunk() const { return false; }

 protected:
  [[nodiscard]] torch::Tensor to_trunk(const torch::Tensor& x) const { return lowered() ? x.to(trunk_type_) : x; }
  [[nodiscard]] torch::Tensor from_trunk(const torch::Tensor& map) const {
    return lowered() ? map.to(torch::kFloat32) : map;  // tests run whole networks in float64
  }

 private:
  friend class LoweredTrunk;
  [[nodiscard]] bool lowered() const { return trunk_type_ != torch::kFloat32; }
  torch::ScalarType trunk_type_ = torch::kFloat32;
};

/// While it lives, every BatchNorm of the module normalises by its running statistics and does not update them.
class FrozenBatchNorm {
 public:
  explicit FrozenBatchNorm(torch::nn::Module& module);
  ~FrozenBatchNorm();
  FrozenBatchNorm(const FrozenBatchNorm&) = delete;
  FrozenBatchNorm& operator=(const FrozenBatchNorm&) = delete;
  FrozenBatchNorm(FrozenBatchNorm&&) = delete;
  FrozenBatchNorm& operator=(FrozenBatchNorm&&) = delete;

 private:
  std::vector<torch::nn::Module*> thawed_;
};

/// Whether any BatchNorm of the module normalises by batch statistics now.
[[nodiscard]] bool batch_norm_training(torch::nn::Module& module);

/// While it lives, the module is in eval mode; then each submodule's mode is as before, whatever happened in between.
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& module);
  ~EvalMode();
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;
  EvalMode(EvalMode&&) = delete;
  EvalMode& operator=(EvalMode&&) = delete;

 private:
  std::vector<std::pair<torch::nn::Module*, bool>> modes_;
};

struct InputGradient {
  torch::Tensor scores;    ///< [N], detached unless keep_graph
  torch::Tensor gradient;  ///< d sum(scores) / dx, shape of x, detached
};
/// The one input gradient, used by NT, attacks and measures. `score` maps x to [N]. Parameters never receive gradients
/// here. With keep_graph, `scores` keeps its graph to the parameters so that a loss can be added to it (x is a leaf of
/// its own).
[[nodiscard]] InputGradient input_gradient(const std::function<torch::Tensor(const torch::Tensor&)>& score,
                                           const torch::Tensor& x, bool keep_graph = false);

/// All parameters and buffers by state_dict name, sorted.
[[nodiscard]] std::vector<std::pair<std::string, torch::Tensor>> state_entries(const torch::nn::Module& module);

/// Puts 4-D parameters into the run's memory format.
void use_run_layout(torch::nn::Module& module);

}  // namespace steadyiqa::models
