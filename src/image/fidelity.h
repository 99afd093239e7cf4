// Full-reference fidelity between two images of one size.
#pragma once

#include "image/image.h"

#include <span>

namespace steadyiqa::image {

/// Peak signal-to-noise ratio over all channels in dB, peak 255. Infinite for equal images.
[[nodiscard]] double psnr(const Image& reference, const Image& distorted);

/// Mean SSIM of luma (BT.601), 11x11 Gaussian window of sigma 1.5, K1 .01, K2 .03, population covariance, valid region
/// only (Wang, Bovik, Sheikh, Simoncelli 2004). In [-1, 1]; 1 = equal. Both sides at least 11 pixels.
[[nodiscard]] double ssim(const Image& reference, const Image& distorted);

/// Side of SSIM's window, pixels.
inline constexpr int kSsimWindow = 11;

/// SSIM's local means: `plane` ([height, width], row after row) weighted with its Gaussian window wherever that lies
/// inside, into `means` ([height - 10, width - 10]).
void ssim_means(std::span<const double> plane, int width, int height, std::span<double> means);

/// Multi-scale SSIM of luma, 5 scales with Wang's weights (Wang, Simoncelli, Bovik 2003); scales that would fall below
/// 11 pixels are left out and the weights renormalised. Negative contrast terms are clamped to 0. In [0, 1].
[[nodiscard]] double ms_ssim(const Image& reference, const Image& distorted);

}  // namespace steadyiqa::image
