#include "image/filters.h"

#include "base/error.h"

#include <opencv2/imgproc.hpp>

namespace steadyiqa::image {

Image median_blur(const Image& image, int kernel) {
  STEADYIQA_ASSERT(!image.empty() && kernel >= 3 && kernel <= 255 && kernel % 2 == 1, "median of an odd window, 3-255");
  const cv::Mat from(image.height, image.width, CV_8UC3, const_cast<std::uint8_t*>(image.pixels.data()));
  Image result(image.width, image.height);
  cv::Mat to(result.height, result.width, CV_8UC3, result.pixels.data());
  cv::medianBlur(from, to, kernel);
  return result;
}

std::vector<double> gaussian_kernel(int size) {
  STEADYIQA_ASSERT(size >= 1 && size % 2 == 1, "a Gaussian kernel has an odd size");
  const cv::Mat kernel = cv::getGaussianKernel(size, 0, CV_64F);
  const auto* weights = kernel.ptr<double>();
  return {weights, weights + size};
}

}  // namespace steadyiqa::image
