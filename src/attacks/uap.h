// Universal adversarial perturbations (Shumitskaya, Antsiferova, Vatolin 2022): one square of pixels that is added to
// every image. What it is and its file; uap_training.h makes it, uap_attack.h uses it.
#pragma once

#include "base/options.h"

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace steadyiqa::attacks {

enum class UapTrainer {
  kOptimised,   ///< Adam on the perturbation
  kCumulative,  ///< plain gradient steps on it
  kGenerative   ///< Adam on a network that makes it from noise
};

enum class UapDirections {
  kUp,   ///< one perturbation, which raises scores
  kBoth  ///< and a second one, which lowers them (the signed variant)
};

/// What is published in words, or what the authors' notebooks do: each batch is drawn from all images anew (so that an
/// epoch leaves images out and takes others twice), and the cut to [0,1] passes gradients on where it cuts.
enum class UapVariant { kPaper, kOfficial };

struct UapOptions {
  UapTrainer trainer = UapTrainer::kOptimised;
  UapDirections directions = UapDirections::kUp;
  UapVariant variant = UapVariant::kPaper;
  std::int64_t tile = 256;     ///< side of the perturbation and of the training crops, pixels
  double bound = 0.1;          ///< of its l-infinity norm, [0,1] pixels
  std::int64_t batch = 8;      ///< crops
  std::int64_t epochs = 10;    ///< every image once, at a new random place
  double rate = 0;             ///< 0 = the trainer's own (uap_rate)
  std::int64_t channels = 64;  ///< of the generator's first layer
  std::int64_t seed = 0;
};
[[nodiscard]] const FieldTable<UapOptions>& uap_fields();
/// options.rate, or where that is 0 the authors': Adam's 1e-3, 1 for plain steps on the score's hundredth.
[[nodiscard]] double uap_rate(const UapOptions& options);

struct Uap {
  torch::Tensor up;    ///< [3,S,S] float32, to be added to [0,1] pixels, within +-training.bound: raises scores
  torch::Tensor down;  ///< the same, lowers scores; undefined with UapDirections::kUp
  UapOptions training{};
  std::int64_t epochs = 0;          ///< finished; below training.epochs after an interruption
  std::string model;                ///< whose score was pushed, e.g. "hyperiqa/resnet50"
  std::string model_sha256;         ///< of its file
  std::vector<std::string> images;  ///< data::pixel_digest of each training image, sorted
  /// Whether the image, [1,3,H,W], is one of the training images, pixel for pixel.
  [[nodiscard]] bool trained_on(const torch::Tensor& pixels) const;
};

/// The square repeated from the top left corner on and cut: [3,S,S] -> [3,height,width].
[[nodiscard]] torch::Tensor tiled(const torch::Tensor& square, std::int64_t height, std::int64_t width);

/// A safetensors file: tensors "up" and "down", the rest as JSON in the metadata. Atomic; the same Uap gives the same
/// bytes.
void write_uap(const std::filesystem::path& path, const Uap& uap);
/// Throws Error(kInput) that names the path for anything else than such a file: wrong or missing tensors or metadata,
/// values that are not finite or beyond the bound, a newer format.
[[nodiscard]] Uap read_uap(const std::filesystem::path& path);

}  // namespace steadyiqa::attacks
