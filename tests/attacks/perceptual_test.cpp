#include "attacks/perceptual.h"

#include "attacks/analytic_victim.h"
#include "attacks/fidelity.h"
#include "base/expect_error.h"
#include "image/fidelity.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::analytic_image;
using ::steadyiqa::testing::analytic_score;
using ::steadyiqa::testing::DifferentiableVictim;
using ::steadyiqa::testing::problem_of;
using ::steadyiqa::testing::proposal;

torch::Tensor attacked(const std::string& spec, const torch::Tensor& clean) {
  DifferentiableVictim victim;
  auto problem = problem_of(victim, clean);
  return proposal(spec, problem);
}

double rise(const torch::Tensor& x, const torch::Tensor& clean) {
  return (analytic_score(x) - analytic_score(clean)).item<double>();
}

/// The noise that the attack begins with, of {-1,0} levels, from a victim that has no gradient.
torch::Tensor official_start(const torch::Tensor& clean) {
  DifferentiableVictim victim;
  const auto problem = problem_of(victim, clean);
  return problem.random("perceptual", 0, [](Rng& rng) { return static_cast<double>(rng.below(2) - 1) / 255.0; });
}

// libtorch's own Adam, made anew for each step, as the authors' code does.
TEST(Perceptual, OfficialTakesTheStepsOfLibtorchsAdam) {
  const auto clean = analytic_image();
  for (const bool by_ssim : {true, false}) {
    const double lambda = by_ssim ? 1e-3 : 10;
    auto x = (clean + official_start(clean)).clamp(0, 1);
    for (int step = 0; step < 5; ++step) {
      x = x.detach().clone().requires_grad_(true);
      torch::optim::Adam adam(std::vector<torch::Tensor>{x}, torch::optim::AdamOptions(0.005));
      const auto distance = by_ssim ? 1 - ssim(x, clean) : (x - clean).abs().amax({1, 2, 3});
      const auto change = analytic_score(x) - analytic_score(clean);
      (distance - lambda * change * change.abs()).sum().backward();
      x.mutable_grad().div_(x.grad().norm());
      x.mutable_grad().slice(2, 0, 5).slice(3, 0, 5).zero_();
      x.mutable_grad().slice(2, -5).slice(3, -5).zero_();
      adam.step();
      x.data().clamp_(0, 1);
    }
    const auto spec = fmt::format("perceptual:variant=official,search=fixed,steps=5,distance={},lambda={}",
                                  by_ssim ? "ssim" : "linf", lambda);
    ASSERT_GT(rise(x.detach(), clean), 1);
    EXPECT_TRUE(torch::allclose(attacked(spec, clean), x, 0, 1e-9)) << spec;
  }
}

TEST(Perceptual, ABisectionEndsAtTheSsimAskedForAsImagesTellIt) {
  const auto clean = analytic_image();
  double before = 0;
  for (const double distance : {0.002, 0.01}) {
    const auto spec = fmt::format("perceptual:steps=20,trials=10,max-distance={}", distance);
    const auto x = attacked(spec, clean).mul(255).round().div(255);
    const double reached =
        1 - image::ssim(data::to_image(x.to(torch::kFloat32)), data::to_image(clean.to(torch::kFloat32)));
    EXPECT_LE(reached, distance + 1e-5);
    EXPECT_GE(reached, 0.7 * distance);
    EXPECT_GT(rise(x, clean), before + 1);
    before = rise(x, clean);
  }
}

TEST(Perceptual, LinfKeepsTheLevelsAskedFor) {
  const auto clean = analytic_image();
  for (const int levels : {2, 6}) {
    const auto x =
        attacked(fmt::format("perceptual:distance=linf,steps=40,max-distance={}", (levels + 0.6) / 255.0), clean);
    EXPECT_EQ((x * 255 - clean * 255).abs().max().round().item<int>(), levels);
    EXPECT_GT(rise(x, clean), 1);
  }
}

TEST(Perceptual, AGridIsNotBelowAnyOfItsLambdas) {
  const auto clean = analytic_image();
  const auto searched = attacked("perceptual:search=grid,trials=6,steps=10,step-size=5e-3,max-distance=0.02", clean);
  const double best = rise(searched.mul(255).round().div(255), clean);
  int faithful = 0;
  for (const char* lambda : {"1e-8", "1e-6", "1e-4", "1e-2", "1", "100"}) {
    const auto x = attacked(fmt::format("perceptual:search=fixed,steps=10,step-size=5e-3,lambda={}", lambda), clean)
                       .mul(255)
                       .round()
                       .div(255);
    if (1 - ssim(x, clean).item<double>() <= 0.02) {
      ++faithful;
      EXPECT_LE(rise(x, clean), best + 1e-9) << lambda;
    }
  }
  EXPECT_TRUE(faithful > 0 && faithful < 6) << faithful;
}

TEST(Perceptual, ABisectionEndsAtOnceWhereTheBudgetKeepsTheDistance) {
  DifferentiableVictim victim;
  auto problem = problem_of(victim, analytic_image(), 1, 1.0 / 255.0);
  static_cast<void>(proposal("perceptual:steps=5,trials=8,max-distance=0.5", problem));
  EXPECT_EQ(problem.gradient_calls(), 5);
  EXPECT_EQ(problem.forward_calls(), 2);
}

TEST(Perceptual, SsimRefusesTinyImages) {
  DifferentiableVictim victim;
  auto problem = problem_of(victim, torch::full({1, 3, 10, 12}, 0.5));
  const auto message =
      testing::error_message(ErrorKind::kInput, [&] { static_cast<void>(proposal("perceptual", problem)); });
  EXPECT_NE(message.find("12x10"), std::string::npos) << message;
}

}  // namespace
}  // namespace steadyiqa::attacks
