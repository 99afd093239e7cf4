// The ensemble against its members.
#include "attacks/auto_attack.h"

#include "attacks/analytic_victim.h"
#include "attacks/function_victim.h"
#include "attacks/tiny_source.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::DifferentiableVictim;
using ::steadyiqa::testing::FunctionVictim;
using ::steadyiqa::testing::problem_of;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_scorer;
using ::steadyiqa::testing::tiny_source;

constexpr double kLevel = 1.0 / 255.0;

AttackResult run_on(Victim& victim, const AttackSpec& spec, const torch::Tensor& pixels, Direction direction) {
  return make_attack(spec)->run(victim, pixels, {.epsilon = 2 * kLevel, .direction = direction});
}

AttackSpec on_source(const std::string& text) {
  auto spec = AttackSpec::parse(text);
  spec.parameters["source"] = tiny_source();
  return spec;
}

/// How far it went the way that was asked for.
double gain(const AttackResult& result) { return result.direction * (result.attacked_raw - result.clean_raw); }

TEST(AutoAttack, IsAtLeastAsStrongAsEachOfItsMembers) {
  for (const bool white_box : {true, false}) {
    const auto scorer = tiny_scorer(50);  // far from both ends of the scale
    for (const auto& pixels : tiny_images(2)) {
      for (const auto direction : {Direction::kUp, Direction::kDown}) {
        ScorerVictim white(scorer);
        FunctionVictim black([&](const torch::Tensor& x) { return testing::raw_score(scorer, x.unsqueeze(0)); });
        Victim& victim = white_box ? static_cast<Victim&>(white) : black;
        const double ensemble = gain(run_on(victim, on_source("auto:quick=true"), pixels, direction));
        std::vector<AttackSpec> members = {on_source("transfer:steps=10"), AttackSpec::parse("square:queries=40")};
        for (const char* text : white_box ? std::vector{"fgsm", "apgd:steps=10"} : std::vector{"nes:queries=40"}) {
          members.push_back(AttackSpec::parse(text));
        }
        double strongest = -1000;
        for (const auto& member : members) {
          strongest = std::max(strongest, gain(run_on(victim, member, pixels, direction)));
        }
        EXPECT_EQ(ensemble, strongest) << white_box;
      }
    }
  }
}

TEST(AutoAttack, WithASourceUsesItOnABlackBox) {
  const auto scorer = tiny_scorer();
  const auto score = [&](const torch::Tensor& x) { return testing::raw_score(scorer, x.unsqueeze(0)); };
  FunctionVictim victim(score);
  FunctionVictim again(score);
  const auto pixels = tiny_images(1)[0];
  const auto without = run_on(victim, AttackSpec::parse("auto:quick=true"), pixels, Direction::kUp);
  const auto with = run_on(again, on_source("auto:quick=true"), pixels, Direction::kUp);
  EXPECT_GT(gain(with), 1.5 * gain(without));
  EXPECT_EQ(again.queries(), victim.queries() + 1);
}

torch::Tensor mean_level(const torch::Tensor& x) { return x.flatten(1).mean(1); }

torch::Tensor grey_image() { return torch::full({1, 3, 12, 12}, 128 * kLevel); }

/// Model calls of the full ensemble, judging included.
std::int64_t calls_on(DifferentiableVictim victim) {
  return run_on(victim, {"auto"}, grey_image(), Direction::kUp).model_calls;
}

TEST(AutoAttack, SpendsNothingMoreOnAnImageWhoseScoreIsOffTheScale) {
  // With the whole budget, 2 levels, the first ends above 100, and the second at 60.
  const std::int64_t broken =
      calls_on(DifferentiableVictim([](const auto& x) { return 99 + 200 * (mean_level(x) - 128 * kLevel); }));
  const std::int64_t standing =
      calls_on(DifferentiableVictim([](const auto& x) { return 50 + 1275 * (mean_level(x) - 128 * kLevel); }));
  EXPECT_LT(broken, 10);
  EXPECT_GT(standing, 112 + 100);
  EXPECT_LT(standing, 300);
}

TEST(AutoAttack, AsksThousandsOfQueriesWhereTheGradientHidesWhatTheyFind) {
  // Rounding has a gradient of 0 everywhere.
  const std::int64_t calls =
      calls_on(DifferentiableVictim([](const auto& x) { return 10 + 100 * mean_level((x * 127.5).floor() / 127.5); }));
  EXPECT_GT(calls, 2000);
}

TEST(AutoAttack, StopsAtEachEndOfTheCalibratedScale) {
  class Falling : public DifferentiableVictim {
   public:
    using DifferentiableVictim::DifferentiableVictim;
    [[nodiscard]] stats::Affine calibration() const override { return {-1, 100}; }
  };
  // Calibrated: 1 less 200 for each unit of the mean level.
  Falling victim([](const auto& x) { return 99 + 200 * (mean_level(x) - 128 * kLevel); });
  EXPECT_LT(run_on(victim, {"auto"}, grey_image(), Direction::kDown).model_calls, 10);
  EXPECT_GT(run_on(victim, {"auto"}, grey_image(), Direction::kUp).model_calls, 212);
}

/// 98 at level 128, where a step up of two levels ends at 98.4 and one of one level above 100; far below 100 for images
/// that are darker by 14 levels and more.
torch::Tensor crest(const torch::Tensor& x) {
  const auto level = 255 * mean_level(x) - 128;
  return 98 + 3 * torch::sin(1.5 * level) + 10 * (level + 14).clamp_max(0);
}

TEST(AutoAttack, EndsItsSearchWithTheFirstPointThatIsOffTheScale) {
  DifferentiableVictim victim(crest);
  const auto result = run_on(victim, {"auto"}, grey_image(), Direction::kUp);
  EXPECT_GE(result.attacked_raw, 100);
  EXPECT_LT(result.model_calls, 60);
}

TEST(AutoAttack, LeavesAnImageOffTheScaleWhereOthersOfItsBatchGoOn) {
  DifferentiableVictim victim(crest);
  const auto alone = grey_image();
  const auto both = torch::cat({alone, alone - 28 * kLevel});
  const auto attack = make_attack({"auto"});
  auto one = problem_of(victim, alone, 1, 2 * kLevel);
  auto two = problem_of(victim, both, 1, 2 * kLevel);
  EXPECT_TRUE(torch::equal(attack->propose(two)[0], attack->propose(one)[0]));
  EXPECT_LT(one.calls(), 60);
  EXPECT_GT(two.calls(), 112 + 100);
}

TEST(AutoAttack, IsJudgedWithinTheVictimsLimit) {
  const auto pixels = tiny_images(1)[0];
  for (const auto& spec : {AttackSpec::parse("auto"), on_source("auto:quick=true")}) {
    for (const auto direction : {Direction::kUp, Direction::kBoth}) {
      for (const std::int64_t limit : {3, 4, 5, 6, 9, 30}) {
        FunctionVictim victim([](const torch::Tensor& x) { return 50 + x.std().item<double>(); }, limit);
        const auto result = run_on(victim, spec, pixels, direction);
        EXPECT_LE(victim.queries(), limit);
        EXPECT_EQ(victim.queries(), result.model_calls);
      }
    }
  }
}

}  // namespace
}  // namespace steadyiqa::attacks
