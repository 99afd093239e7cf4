// The gradient-sign attacks against the same in plain PyTorch. make_trajectories.py made the values.
#include "attacks/catalogue.h"
#include "attacks/written_out.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>
#include <vector>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::WrittenOut;

constexpr double kEpsilon = 4.0 / 255.0;
constexpr double kTolerance = 1e-5;

torch::Tensor image() {
  const auto axis = [](std::int64_t n, std::vector<std::int64_t> shape) { return torch::arange(n).view(shape); };
  const auto c = axis(3, {3, 1, 1});
  const auto y = axis(12, {1, 12, 1});
  const auto x = axis(10, {1, 1, 10});
  return ((37 * c + 11 * y + 7 * x + 5 * x * y) % 256).to(torch::kFloat32).unsqueeze(0) / 255.0;
}

struct Trajectory {
  std::string attack;
  int sign;
  double score;                ///< at the end
  double place;                ///< of the perturbation: its sum weighed by a ramp from 0 to 1
  std::vector<double> scores;  ///< after 1, 2, ... steps
};

class Trajectories : public ::testing::TestWithParam<Trajectory> {
 protected:
  [[nodiscard]] static torch::Tensor run(const std::string& spec) {
    WrittenOut victim;
    Problem problem(victim, image(), torch::full({1}, static_cast<float>(GetParam().sign)), {}, kEpsilon, {0});
    return make_attack(AttackSpec::parse(spec))->propose(problem);
  }
  [[nodiscard]] static double score(const torch::Tensor& x) { return WrittenOut().raw(x).item<double>(); }
};

TEST_P(Trajectories, EndWhereTheScriptEnds) {
  const auto x = run(GetParam().attack);
  const auto ramp = torch::arange(x.numel()).view_as(x) / static_cast<double>(x.numel());
  EXPECT_NEAR(score(x), GetParam().score, kTolerance);
  EXPECT_NEAR(((x - image()) * ramp).sum().item<double>(), GetParam().place, kTolerance);
}

TEST_P(Trajectories, PassTheScriptsScores) {
  const double full = GetParam().attack == "ifgsm" ? 2.5 : 1.0;
  for (std::size_t step = 0; step < GetParam().scores.size(); ++step) {
    const auto spec = fmt::format("{}:steps={},step-size={}", GetParam().attack, step + 1, full * kEpsilon / 10);
    EXPECT_NEAR(score(run(spec)), GetParam().scores[step], kTolerance) << spec;
  }
}

INSTANTIATE_TEST_SUITE_P(PyTorch, Trajectories,
                         ::testing::Values(Trajectory{"fgsm", 1, 6.2027555, 0.5422658, {}},
                                           Trajectory{"fgsm", -1, 2.5688946, -0.5244661, {}},
                                           Trajectory{"ifgsm",
                                                      1,
                                                      6.2195015,
                                                      0.4608606,
                                                      {4.8654423, 5.3239079, 5.7738867, 6.2143707, 6.2160854, 6.2174563,
                                                       6.2182384, 6.2188983, 6.2192006, 6.2195015}},
                                           Trajectory{"ifgsm",
                                                      -1,
                                                      2.5497737,
                                                      -0.6236709,
                                                      {3.9371271, 3.4760368, 3.0160353, 2.5595765, 2.5572741, 2.5549126,
                                                       2.5532296, 2.5514030, 2.5506053, 2.5497737}},
                                           Trajectory{"mifgsm",
                                                      1,
                                                      6.2106657,
                                                      0.5378530,
                                                      {4.5872192, 4.7729359, 4.9576693, 5.1411953, 5.3232961, 5.5038314,
                                                       5.6829939, 5.8607740, 6.0366602, 6.2106657}},
                                           Trajectory{"mifgsm",
                                                      -1,
                                                      2.5618911,
                                                      -0.5399792,
                                                      {4.2155285, 4.0298815, 3.8447685, 3.6602812, 3.4759250, 3.2918653,
                                                       3.1082053, 2.9252460, 2.7430987, 2.5618911}}),
                         [](const auto& test) { return test.param.attack + (test.param.sign > 0 ? "Up" : "Down"); });

}  // namespace
}  // namespace steadyiqa::attacks
