#include "attacks/concealed.h"

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

torch::Tensor attacked(const std::string& spec, double way = 1) {
  DifferentiableVictim victim;
  auto problem = problem_of(victim, analytic_image(), way);
  return proposal(spec, problem);
}

// Values of this file: make_perceptual_values.py.
TEST(Madc, StepsAlongTheProjectedGradientsSign) {
  expect_change(attacked("madc", -1), analytic_image(), {2.040000000, 31.620000000, 105.376200000});
}

TEST(Madc, KeepsTheErrorAtItsCap) {
  const auto error = (attacked("madc:max-rmse=0.002") - analytic_image()).square().mean().sqrt();
  EXPECT_LE(error.item<double>(), 0.002 + 1e-12);
  EXPECT_GT(error.item<double>(), 0.00199);  // pixels that meet 0 or 1 may lose a little
}

TEST(Ssah, TakesTheStepsOfPyTorchsAdamOnTheSmoothL1OfAveragePooling) {
  expect_change(attacked("ssah"), analytic_image(), {2.590795158, 292.820392311, -134.660020422});
  expect_change(attacked("ssah:weight=50"), analytic_image(), {2.584439470, -4.221039118, -145.806731202});
}

TEST(Ioi, EqualsNumpysBands) {
  expect_change(attacked("ioi"), analytic_image(), {25.604501233, 56.822613887, 315.944408317});
}

TEST(Ioi, LeavesFlatPartsAlone) {
  auto clean = analytic_image().clone();
  clean.slice(3, 0, 12).fill_(0.5);
  DifferentiableVictim victim;
  auto problem = problem_of(victim, clean);
  const auto change = (proposal("ioi", problem) - clean).abs();
  EXPECT_EQ(change.slice(3, 0, 11).max().item<double>(), 0);
  EXPECT_GT(change.slice(3, 12, 24).mean().item<double>(), 1.0 / 255.0);
}

TEST(Ioi, ChangesNothingWhereAllFrequenciesAreKept) {
  EXPECT_TRUE(torch::allclose(attacked("ioi:keep=1"), analytic_image(), 0, 1e-15));
}

}  // namespace
}  // namespace steadyiqa::attacks
