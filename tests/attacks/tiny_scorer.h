// A compact model with seeded weights and a few small synthetic images: enough to attack, score and evaluate.
#pragma once

#include "data/loader.h"
#include "data/synthetic.h"
#include "models/catalogue.h"
#include "models/scorer.h"

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::testing {

inline constexpr int kTinyCrop = 32;

inline models::ScorerOptions tiny_options() {
  models::ScorerOptions options;
  options.model = "compact";
  options.crop = kTinyCrop;
  options.crops.count = 4;
  options.normalisation = models::kImageNet;
  return options;
}

inline torch::Tensor parameter(models::Network& network, const std::string& name) {
  return network.named_parameters()[name];
}

/// Raw scores lie near `raw_level` and spread by a few tenths of a point over the tiny images.
inline models::Scorer tiny_scorer(double raw_level = 0, std::uint64_t seed = 7) {
  auto network = models::make_network("compact", "");
  models::find_model("compact").initialise(*network, seed);
  {
    const torch::NoGradGuard no_grad;
    parameter(*network, "head.2.bias").fill_(raw_level);
  }
  return {std::move(network), tiny_options()};
}

inline double raw_score(const models::Scorer& scorer, const torch::Tensor& pixels) {
  const torch::NoGradGuard no_grad;
  return scorer.raw(pixels)[0].item<double>();
}

/// Six scenes, three distorted versions of each and the scenes themselves, 64 x 64.
inline const data::SyntheticSet& tiny_set() {
  static const data::SyntheticSet kSet =
      data::make_synthetic_set({.references = 6, .versions = 3, .size = 64, .seed = 3});
  return kSet;
}

/// The first `count` of the set, as [1,3,64,64].
inline std::vector<torch::Tensor> tiny_images(std::size_t count) {
  std::vector<torch::Tensor> tensors;
  for (std::size_t i = 0; i < count; ++i) {
    tensors.push_back(data::to_tensor(tiny_set().images.at(i)).unsqueeze(0));
  }
  return tensors;
}

/// A part of a scene, of any size up to 96 x 96.
inline image::Image tiny_image(int width, int height) {
  return image::crop(data::synthetic_scene(5, 0, 96, 96), 0, 0, width, height);
}

/// One constant output, whatever the image: no gradient anywhere.
inline void make_constant(models::Network& network) {
  const torch::NoGradGuard no_grad;
  parameter(network, "head.2.weight").zero_();
}

}  // namespace steadyiqa::testing
