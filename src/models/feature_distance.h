// Distances between images in the features of a trunk trained on ImageNet: LPIPS and DISTS.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <vector>

namespace steadyiqa::models {

/// Weights are those of other people's files (checkpoint/feature_distance_file.h). State names are the authors'. Not
/// thread-safe.
class FeatureDistance : public torch::nn::Module {
 public:
  using Features = std::vector<torch::Tensor>;
  /// What the distance compares, of [N,3,H,W] RGB in [0,1]; the features of an image that stays are computed once.
  /// Throws Error(kInput) for an image too small for the trunk.
  [[nodiscard]] virtual Features features(const torch::Tensor& pixels) = 0;
  /// [N], 0 = equal, differentiable by both.
  [[nodiscard]] virtual torch::Tensor between(const Features& a, const Features& b) = 0;
};

enum class LpipsTrunk { kVgg16, kAlexNet };

/// LPIPS 0.1 (Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018, eq. 1): squared differences of five feature maps, each
/// place's vector scaled to norm 1, weighted by channel, averaged over places, summed over maps. Names as of
/// lpips.LPIPS: net.slice1.0.weight ... , lin0.model.1.weight ...; the constants of its scaling layer are no state
/// here. Sides of at least 16 pixels, on AlexNet 31.
[[nodiscard]] std::shared_ptr<FeatureDistance> make_lpips(LpipsTrunk trunk);

/// DISTS (Ding, Ma, Wang, Simoncelli, TPAMI 2020, eq. 4 to 7): 1 - the weighted mean of texture (means) and structure
/// (covariances) similarities of the image and of five maps of VGG-16, whose pooling is an l2 one with a Hann window.
/// Names as of DISTS_pytorch.DISTS: stage1.0.weight ... , alpha (texture), beta (structure); mean, std and the pooling
/// filters are no state here. Any size; authors' scripts bring the short side to 256 pixels first.
[[nodiscard]] std::shared_ptr<FeatureDistance> make_dists();

}  // namespace steadyiqa::models
