#include "attacks/stadv.h"

#include "attacks/analytic_victim.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::analytic_image;
using ::steadyiqa::testing::DifferentiableVictim;
using ::steadyiqa::testing::expect_change;
using ::steadyiqa::testing::problem_of;
using ::steadyiqa::testing::proposal;

// make_perceptual_values.py (scipy.ndimage.map_coordinates, order 1, mode nearest).
TEST(Warp, EqualsScipy) {
  const auto clean = analytic_image();
  const auto flow = 3 * torch::sin(0.7 * torch::arange(2 * 17 * 25, torch::kFloat64)).view({1, 2, 17, 25});
  expect_change(warp(clean, flow), clean, {86.445796462, -229.679413553, -679.695851064});
}

TEST(Warp, WithoutFlowIsTheImageToTheBitWhateverItsSize) {
  for (const auto& [height, width] : {std::pair{17, 25}, {1, 9}, {8, 1}, {1, 1}}) {
    const auto pixels = torch::rand({2, 3, height, width});
    EXPECT_TRUE(torch::equal(warp(pixels, torch::zeros({2, 2, height, width})), pixels)) << height << "x" << width;
  }
}

// make_perceptual_values.py (torch.optim.LBFGS).
TEST(StAdv, TakesTheStepsOfPyTorchsLbfgs) {
  DifferentiableVictim victim;
  const auto clean = analytic_image();
  auto one = problem_of(victim, clean);
  expect_change(proposal("stadv:steps=1", one), clean, {1.099144429, 2.705952393, -6.733588557});
  auto three = problem_of(victim, clean);
  expect_change(proposal("stadv", three), clean, {81.482837671, 2207.826018218, -601.506933904});
  EXPECT_EQ(three.gradient_calls(), 3);
}

TEST(StAdv, ARoughFlowCosts) {
  DifferentiableVictim victim;
  const auto clean = analytic_image();
  const auto change = [&](const std::string& spec) {
    auto problem = problem_of(victim, clean);
    return (proposal(spec, problem) - clean).abs().sum().item<double>();
  };
  EXPECT_LT(change("stadv:roughness=1e6"), 0.1 * change("stadv:roughness=0"));
}

}  // namespace
}  // namespace steadyiqa::attacks
