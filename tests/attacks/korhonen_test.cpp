#include "attacks/korhonen.h"

#include "attacks/analytic_victim.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::analytic_image;
using ::steadyiqa::testing::DifferentiableVictim;
using ::steadyiqa::testing::expect_change;
using ::steadyiqa::testing::problem_of;

// make_perceptual_values.py (scipy.ndimage.sobel, grey_dilation).
TEST(SpatialActivity, EqualsScipy) {
  const auto map = spatial_activity(analytic_image());
  ASSERT_TRUE(map.sizes().equals({1, 1, 17, 25}));
  EXPECT_NEAR(map.sum().item<double>(), 219.216982367, 1e-8);
  EXPECT_NEAR(map.min().item<double>(), 0.124573157, 1e-8);
  EXPECT_EQ(map.max().item<double>(), 1);
  EXPECT_NEAR(map[0][0][0][0].item<double>(), 0.396807107, 1e-8);
  EXPECT_NEAR(map[0][0][3][7].item<double>(), 0.431932696, 1e-8);
  EXPECT_NEAR(map[0][0][16][24].item<double>(), 0.418977515, 1e-8);
}

TEST(SpatialActivity, IsOneEverywhereInAFlatImageAndInOneWithoutAnInside) {
  EXPECT_TRUE(torch::equal(spatial_activity(torch::full({1, 3, 6, 7}, 0.4)), torch::ones({1, 1, 6, 7})));
  EXPECT_TRUE(torch::equal(spatial_activity(torch::rand({1, 3, 2, 7})), torch::ones({1, 1, 2, 7})));
}

// make_perceptual_values.py (torch.optim.Adam on grey levels).
TEST(Korhonen, TakesTheStepsOfPyTorchsAdam) {
  DifferentiableVictim victim;
  const auto clean = analytic_image();
  for (const auto mask : {ActivityMask::kUpdate, ActivityMask::kGradient}) {
    auto problem = problem_of(victim, clean);
    const auto x = korhonen_search(problem, {.rate = 2, .min_steps = 8, .max_steps = 8, .mask = mask});
    if (mask == ActivityMask::kUpdate) {
      expect_change(x, clean, {14.102857689, 912.606605395, -674.367402106});
    } else {
      expect_change(x, clean, {14.106703761, 1831.852172122, -729.372878227});
    }
    EXPECT_EQ(problem.gradient_calls(), 8);
  }
}

TEST(Korhonen, StopsAfterTwoStepsThatAreNotBetterAndReturnsTheBest) {
  const auto clean = analytic_image();
  DifferentiableVictim victim([&](const torch::Tensor& x) {
    return -(x - clean).abs().sum({1, 2, 3}) + x.sum() * 1e-9;
  });
  auto early = problem_of(victim, clean);
  EXPECT_TRUE(torch::equal(korhonen_search(early, {.min_steps = 1, .max_steps = 50}), clean));
  EXPECT_EQ(early.gradient_calls(), 3);  // the clean image, then two that are worse
  auto late = problem_of(victim, clean);
  EXPECT_TRUE(torch::equal(korhonen_search(late, {.min_steps = 7, .max_steps = 50}), clean));
  EXPECT_EQ(late.gradient_calls(), 7);
}

TEST(Korhonen, AMaskedUpdateLeavesTheFlatHalfAlone) {
  auto clean = analytic_image().clone();
  clean.slice(3, 0, 12).fill_(0.5);
  DifferentiableVictim victim;
  auto problem = problem_of(victim, clean);
  const auto change = (korhonen_search(problem, {.max_steps = 5}) - clean).abs();
  EXPECT_EQ(change.slice(3, 0, 9).max().item<double>(), 0);  // the disc reaches 2 pixels further than Sobel's 1
  EXPECT_GT(change.slice(3, 9).min().item<double>(), 0);
}

}  // namespace
}  // namespace steadyiqa::attacks
