// Purification: what a defended Scorer does to an image's pixels before anything else, purifiers one after the other.
#pragma once

#include "base/options.h"

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace steadyiqa::models {

enum class PurifierKind {
  kJpeg,    ///< compressed (4:2:0) and decoded again; Liu et al., IEEE TCSVT 2025: quality 70
  kMedian,  ///< cv::medianBlur on 8 bits; Xu, Evans, Qi 2018
  kBlur,    ///< the weights of cv::GaussianBlur(kernel, sigma 0), edges repeated
  kBits,    ///< round(x * (2^bits - 1)) / (2^bits - 1); Xu, Evans, Qi 2018
  kNoise    ///< x + sigma * normal, not clipped; the score is the mean over draws (Cohen, Rosenfeld, Kolter 2019)
};

/// One step. A kind has the options that its row of purifier_catalogue() lists; the others mean nothing to it.
struct Purifier {
  PurifierKind kind = PurifierKind::kJpeg;
  std::int64_t quality = 70;
  std::int64_t kernel = 3;  ///< side of the window, pixels, odd
  std::int64_t bits = 5;    ///< of each channel
  double sigma = 0.02;      ///< [0,1] pixels
  std::int64_t draws = 4;   ///< of the whole chain: the largest of its steps counts
  std::int64_t seed = 0;
};

/// The gradient that flows back through a purifier.
enum class PurifierGradient {
  kTrue,
  kStraightThrough  ///< its own is zero or undefined: the gradient at the purified point is passed on as it is (BPDA
                    ///< with the identity: Athalye, Carlini, Wagner 2018)
};

struct PurifierInfo {
  std::string name;
  std::string help;
  PurifierKind kind = PurifierKind::kJpeg;
  PurifierGradient gradient = PurifierGradient::kTrue;
  bool random = false;
  FieldTable<Purifier> fields;
};
[[nodiscard]] std::span<const PurifierInfo> purifier_catalogue();
[[nodiscard]] const PurifierInfo& info_of(const Purifier& purifier);

/// "NAME[:key=value,...]", e.g. "jpeg:quality=50". Throws Error(kUsage) for an unknown name or key, with the nearest,
/// and for a value out of range.
[[nodiscard]] Purifier parse_purifier(const std::string& text);
/// As parse_purifier reads it, with all its options.
[[nodiscard]] std::string purifier_text(const Purifier& purifier);

/// The texts of a chain, in order; "none" alone is an empty one. Throws as parse_purifier.
[[nodiscard]] std::vector<Purifier> parse_purification(const std::vector<std::string>& texts);
[[nodiscard]] std::vector<std::string> purification_texts(std::span<const Purifier> chain);
/// Throws Error(kUsage) for too many steps or a value out of range.
void check(std::span<const Purifier> chain);

[[nodiscard]] bool is_random(std::span<const Purifier> chain);
/// Names of the steps whose gradient is straight-through, in order.
[[nodiscard]] std::vector<std::string> straight_through(std::span<const Purifier> chain);
/// How many draws the score is the mean of; 1 where nothing is random.
[[nodiscard]] std::int64_t draws(std::span<const Purifier> chain);

/// One [1,3,H,W] image in [0,1] after every step: the same size, not in [0,1] after noise. Random steps derive from
/// their seed, the image (its 8-bit levels), `draw` (0, 1, ...) and their place in the chain: the same image has the
/// same draws, and a change below half a level keeps them. Without a random step `draw` means nothing.
/// The value is what each library computes; gradients as PurifierGradient says. Throws Error(kInput) for an image that
/// JPEG cannot hold.
[[nodiscard]] torch::Tensor purified(const torch::Tensor& pixels, std::span<const Purifier> chain,
                                     std::int64_t draw = 0);

}  // namespace steadyiqa::models
