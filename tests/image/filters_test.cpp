#include "image/filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steadyiqa::image {
namespace {

using ::testing::ElementsAre;

// tests/models/purification_test.cpp compares both with scipy.ndimage on a whole image.
TEST(Filters, MedianRepeatsTheEdge) {
  Image image(3, 1);
  image.pixels = {10, 0, 90, 20, 0, 50, 30, 200, 70};
  const auto median = median_blur(image, 3);
  EXPECT_THAT(median.pixels, ElementsAre(10, 0, 90, 20, 0, 70, 30, 200, 70));
}

TEST(Filters, SmallGaussianKernelsAreBinomialAsOpenCvDocuments) {
  EXPECT_THAT(gaussian_kernel(1), ElementsAre(1.0));
  EXPECT_THAT(gaussian_kernel(3), ElementsAre(0.25, 0.5, 0.25));
  EXPECT_THAT(gaussian_kernel(5), ElementsAre(1.0 / 16, 4.0 / 16, 6.0 / 16, 4.0 / 16, 1.0 / 16));
}

}  // namespace
}  // namespace steadyiqa::image
