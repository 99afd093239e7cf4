// Smoothing filters as OpenCV computes them.
#pragma once

#include "image/image.h"

#include <vector>

namespace steadyiqa::image {

/// cv::medianBlur: of each channel the median of a kernel x kernel neighbourhood, edges repeated. `kernel` is odd, 3 to
/// 255.
[[nodiscard]] Image median_blur(const Image& image, int kernel);

/// cv::getGaussianKernel(size, 0): the weights that cv::GaussianBlur takes when it is given a size alone. They sum
/// to 1. `size` is odd.
[[nodiscard]] std::vector<double> gaussian_kernel(int size);

}  // namespace steadyiqa::image
