#include "image/fidelity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>

namespace steadyiqa::image {
namespace {

constexpr double kC1 = (0.01 * 255) * (0.01 * 255);
constexpr double kC2 = (0.03 * 255) * (0.03 * 255);

void check_pair(const Image& reference, const Image& distorted, int min_side) {
  if (reference.width != distorted.width || reference.height != distorted.height) {
    fail_input("cannot compare a {}x{} image with a {}x{} one", reference.width, reference.height, distorted.width,
               distorted.height);
  }
  if (std::min(reference.width, reference.height) < min_side) {
    fail_input("{}x{} pixels is too small to compare: at least {} a side", reference.width, reference.height, min_side);
  }
}

/// BT.601 luma in doubles, not rounded.
cv::Mat1d luma(const Image& image) {
  cv::Mat1d result(image.height, image.width);
  for (int y = 0; y < image.height; ++y) {
    double* row = result[y];
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* rgb = image.at(x, y);
      row[x] = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    }
  }
  return result;
}

cv::Mat1d blur(const cv::Mat1d& plane) {
  cv::Mat1d means(plane.rows - kSsimWindow + 1, plane.cols - kSsimWindow + 1);
  ssim_means({plane[0], plane.total()}, plane.cols, plane.rows, {means[0], means.total()});
  return means;
}

cv::Mat1d times(const cv::Mat1d& x, const cv::Mat1d& y) {
  cv::Mat1d product;
  cv::multiply(x, y, product);
  return product;
}

struct Similarity {
  double ssim = 0;      ///< mean of luminance x contrast-structure
  double contrast = 0;  ///< mean of contrast-structure alone
};

/// Wang et al. 2004, eq. 13, with the population covariance E[xy] - E[x]E[y].
Similarity similarity(const cv::Mat1d& x, const cv::Mat1d& y) {
  const cv::Mat1d mean_x = blur(x);
  const cv::Mat1d mean_y = blur(y);
  const cv::Mat1d square_x = blur(times(x, x));
  const cv::Mat1d square_y = blur(times(y, y));
  const cv::Mat1d product = blur(times(x, y));
  Similarity sum;
  for (int r = 0; r < mean_x.rows; ++r) {
    for (int c = 0; c < mean_x.cols; ++c) {
      const double mx = mean_x(r, c);
      const double my = mean_y(r, c);
      const double variances = square_x(r, c) - mx * mx + square_y(r, c) - my * my;
      const double contrast = (2 * (product(r, c) - mx * my) + kC2) / (variances + kC2);
      sum.contrast += contrast;
      sum.ssim += contrast * (2 * mx * my + kC1) / (mx * mx + my * my + kC1);
    }
  }
  const auto count = static_cast<double>(mean_x.total());
  return {sum.ssim / count, sum.contrast / count};
}

/// Means of 2x2 blocks; an odd last row or column is repeated (Wang's imfilter(ones(2)/4, 'symmetric'), every second).
cv::Mat1d halve(const cv::Mat1d& plane) {
  cv::Mat1d result((plane.rows + 1) / 2, (plane.cols + 1) / 2);
  for (int r = 0; r < result.rows; ++r) {
    const int r0 = 2 * r;
    const int r1 = std::min(r0 + 1, plane.rows - 1);
    for (int c = 0; c < result.cols; ++c) {
      const int c0 = 2 * c;
      const int c1 = std::min(c0 + 1, plane.cols - 1);
      result(r, c) = (plane(r0, c0) + plane(r0, c1) + plane(r1, c0) + plane(r1, c1)) / 4;
    }
  }
  return result;
}

}  // namespace

void ssim_means(std::span<const double> plane, int width, int height, std::span<double> means) {
  constexpr double kSigma = 1.5;
  constexpr int kMargin = kSsimWindow / 2;
  const int wide = width - 2 * kMargin;
  const int high = height - 2 * kMargin;
  STEADYIQA_ASSERT(wide > 0 && high > 0 && plane.size() == static_cast<std::size_t>(width) * height &&
                       means.size() == static_cast<std::size_t>(wide) * high,
                   "SSIM's means lie where its window fits");
  const cv::Mat kernel = cv::getGaussianKernel(kSsimWindow, kSigma, CV_64F);
  const cv::Mat1d values(height, width, const_cast<double*>(plane.data()));  // NOLINT: only read
  cv::Mat1d blurred;
  cv::sepFilter2D(values, blurred, CV_64F, kernel, kernel);
  blurred(cv::Rect(kMargin, kMargin, wide, high)).copyTo(cv::Mat1d(high, wide, means.data()));
}

double psnr(const Image& reference, const Image& distorted) {
  check_pair(reference, distorted, 1);
  double sum = 0;
  for (std::size_t i = 0; i < reference.pixels.size(); ++i) {
    const double difference = static_cast<double>(reference.pixels[i]) - distorted.pixels[i];
    sum += difference * difference;
  }
  if (sum == 0) {
    return std::numeric_limits<double>::infinity();
  }
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(reference.pixels.size()) / sum);
}

double ssim(const Image& reference, const Image& distorted) {
  check_pair(reference, distorted, kSsimWindow);
  return similarity(luma(reference), luma(distorted)).ssim;
}

double ms_ssim(const Image& reference, const Image& distorted) {
  check_pair(reference, distorted, kSsimWindow);
  constexpr std::array<double, 5> kWeights = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};  // Wang et al. 2003, sec. 3.2
  cv::Mat1d x = luma(reference);
  cv::Mat1d y = luma(distorted);
  std::vector<Similarity> scales;
  while (scales.size() < kWeights.size() && std::min(x.rows, x.cols) >= kSsimWindow) {
    scales.push_back(similarity(x, y));
    x = halve(x);
    y = halve(y);
  }
  double weight_sum = 0;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    weight_sum += kWeights.at(i);
  }
  double result = 1;  // eq. 7: contrast-structure at every scale, luminance at the coarsest only
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const double term = i + 1 == scales.size() ? scales[i].ssim : scales[i].contrast;
    result *= std::pow(std::max(term, 0.0), kWeights.at(i) / weight_sum);
  }
  return result;
}

}  // namespace steadyiqa::image
