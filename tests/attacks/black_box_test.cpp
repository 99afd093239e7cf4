// Attacks that see scores only, on victims whose answer is known. make_black_box_values.py made the values.
#include "attacks/catalogue.h"
#include "attacks/dct.h"
#include "attacks/function_victim.h"
#include "attacks/jnd.h"
#include "attacks/tiny_scorer.h"
#include "base/expect_error.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::FunctionVictim;

constexpr double kLevel = 1.0 / 255.0;

/// A grey image of this size; 100 levels leave room to both sides.
torch::Tensor grey(std::int64_t height, std::int64_t width) {
  return torch::full({1, 3, height, width}, static_cast<float>(100 * kLevel));
}

/// Weights of a linear score of the image, in points per level; never 0.
torch::Tensor weights(std::int64_t height, std::int64_t width, std::uint64_t seed = 1) {
  Rng rng(seed);
  auto result = torch::empty({3, height, width});
  std::generate_n(result.data_ptr<float>(), result.numel(),
                  [&] { return static_cast<float>((rng.below(2) == 0 ? -1 : 1) * rng.uniform(0.5, 1.5)); });
  return result;
}

/// 50 + the weighted sum of the levels above 100.
std::function<double(const torch::Tensor&)> linear(const torch::Tensor& weight) {
  return [weight](const torch::Tensor& image) {
    return 50 + ((image * 255.0 - 100.0) * weight).sum(torch::kFloat64).item<double>();
  };
}

AttackResult run(const std::string& spec, Victim& victim, const torch::Tensor& pixels, double levels = 4,
                 Direction direction = Direction::kUp) {
  return make_attack(AttackSpec::parse(spec))
      ->run(victim, pixels, {.epsilon = levels * kLevel, .direction = direction});
}

class QueryAttack : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static std::string with_queries(std::int64_t queries) {
    return fmt::format("{}:queries={}", GetParam(), queries);
  }
};

std::vector<std::string> query_attacks() {
  std::vector<std::string> names;
  for (const auto& info : attack_catalogue()) {
    if (std::ranges::any_of(info.parameters, [](const auto& parameter) { return parameter.name == "queries"; })) {
      names.push_back(info.name);
    }
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, QueryAttack, ::testing::ValuesIn(query_attacks()), [](const auto& test) {
  auto name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST_P(QueryAttack, NeverAsksMoreThanItsQueries) {
  for (const std::int64_t queries : {1, 2, 3, 10, 47}) {
    FunctionVictim victim(linear(weights(16, 16)));
    const auto one_way = run(with_queries(queries), victim, grey(16, 16));
    EXPECT_LE(victim.queries(), queries + 2) << queries;  // the clean image and the result are judged
    EXPECT_EQ(victim.queries(), one_way.model_calls);
    FunctionVictim again(linear(weights(16, 16)));
    const auto both_ways = run(with_queries(queries), again, grey(16, 16), 4, Direction::kBoth);
    EXPECT_LE(again.queries(), 2 * queries + 3) << queries;
    EXPECT_EQ(again.queries(), both_ways.model_calls);
  }
}

TEST_P(QueryAttack, IsJudgedWithinTheVictimsLimit) {
  for (const auto direction : {Direction::kDown, Direction::kBoth}) {
    for (const std::int64_t limit : {3, 4, 5, 20}) {
      FunctionVictim victim(linear(weights(16, 16)), limit);
      const auto result = run(with_queries(1000), victim, grey(16, 16), 4, direction);
      EXPECT_LE(victim.queries(), limit);
      EXPECT_GE(victim.queries(), limit - 3);  // NES takes whole estimates, and two directions share
      EXPECT_NEAR(result.attacked_raw, linear(weights(16, 16))(result.attacked[0]), 1e-3);
    }
  }
}

TEST_P(QueryAttack, AsksForImagesWithinBudgetThatAUserCouldSave) {
  const auto pixels = data::to_tensor(testing::tiny_image(23, 19)).unsqueeze(0);
  FunctionVictim victim([](const torch::Tensor& image) { return 50 + image.std().item<double>(); });
  static_cast<void>(run(with_queries(60), victim, pixels, 3.7));
  for (const auto& asked : victim.asked()) {
    EXPECT_TRUE(torch::equal(data::to_tensor(data::to_image(asked)), asked));
    EXPECT_LE(((asked - pixels[0]) * 255.0).abs().max().item<double>(), 3.001);
  }
}

TEST_P(QueryAttack, ReturnsTheBestImageThatWasScored) {
  FunctionVictim victim(linear(weights(16, 16)));
  const auto result = run(with_queries(60), victim, grey(16, 16), 4, Direction::kDown);
  EXPECT_NEAR(result.attacked_raw, *std::ranges::min_element(victim.scores()), 1e-4);
  EXPECT_LT(result.attacked_raw, result.clean_raw);
}

TEST_P(QueryAttack, KeepsACleanImageThatNothingBeats) {
  const auto pixels = grey(16, 16);
  FunctionVictim victim(
      [&](const torch::Tensor& image) { return 50 - (image - pixels[0]).abs().sum().item<double>(); });
  EXPECT_TRUE(torch::equal(run(with_queries(60), victim, pixels).attacked, pixels));
}

TEST_P(QueryAttack, GivesAnItemTheSameResultInAnyBatch) {
  const auto score = linear(weights(16, 16));
  const auto pixels = torch::cat({grey(16, 16), grey(16, 16) + 20 * kLevel, grey(16, 16) - 20 * kLevel});
  const auto sign = torch::tensor({1.0F, -1.0F, 1.0F});
  const std::vector<std::uint64_t> seeds = {11, 12, 13};
  const auto attack = make_attack(AttackSpec::parse(with_queries(50)));
  FunctionVictim victim(score);
  Problem together(victim, pixels, sign, {}, 4 * kLevel, seeds);
  const auto results = attack->propose(together);
  EXPECT_LE(together.calls(), 50);
  EXPECT_EQ(victim.queries(), 3 * together.calls());  // a call scores one candidate of each
  for (std::int64_t i = 0; i < 3; ++i) {
    Problem alone(victim, pixels.slice(0, i, i + 1), sign.slice(0, i, i + 1), {}, 4 * kLevel,
                  {seeds[static_cast<std::size_t>(i)]});
    EXPECT_TRUE(torch::equal(attack->propose(alone)[0], results[i])) << i;
  }
}

TEST_P(QueryAttack, ComesNearerToATarget) {
  FunctionVictim victim(linear(weights(16, 16)));
  AttackOptions options{.epsilon = 4 * kLevel};
  options.target = 90.0;
  const auto result = make_attack(AttackSpec::parse(with_queries(80)))->run(victim, grey(16, 16), options);
  EXPECT_LT(std::abs(result.attacked_raw - 90), 40 - 1);  // from 50
}

TEST_P(QueryAttack, RefusesNoQueriesAtAll) {
  const auto message = testing::error_message(
      ErrorKind::kUsage, [] { static_cast<void>(make_attack(AttackSpec::parse(with_queries(0)))); });
  EXPECT_NE(message.find("queries"), std::string::npos) << message;
}

TEST(RandomSigns, TakeTheWholeBudgetAndAskNothing) {
  FunctionVictim victim(linear(weights(16, 16)));
  const auto result = run("random", victim, grey(16, 16));
  EXPECT_EQ(victim.queries(), 2);
  const auto change = ((result.attacked - grey(16, 16)) * 255.0).round();
  EXPECT_TRUE((change.abs() == 4).all().item<bool>());
  const auto raised = (change > 0).sum().item<std::int64_t>();
  EXPECT_NEAR(static_cast<double>(raised), 384, 5 * std::sqrt(768) / 2);  // of 768: five standard deviations
}

/// What changed between two images: its rows and columns.
struct ChangedBox {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t right = 0;  ///< column after the last
};

ChangedBox changed_box(const torch::Tensor& a, const torch::Tensor& b) {
  const auto changed = (a != b).any(0);
  const auto rows = changed.any(1).nonzero();
  const auto columns = changed.any(0).nonzero();
  const auto extent = [](const torch::Tensor& at) { return (at.max() - at.min() + 1).item<std::int64_t>(); };
  return {extent(rows), extent(columns), columns.max().item<std::int64_t>() + 1};
}

TEST(Square, BeginsWithStripesOfTheWholeBudget) {
  FunctionVictim victim(linear(weights(20, 30)));
  static_cast<void>(run("square:queries=2", victim, grey(20, 30)));
  const auto& stripes = victim.asked().at(2);  // after the clean image, judged and then asked for by the search
  const auto change = ((stripes - grey(20, 30)[0]) * 255.0).round();
  EXPECT_TRUE((change.abs() == 4).all().item<bool>());
  EXPECT_TRUE(torch::equal(change, change.slice(1, 0, 1).expand_as(change)));
  EXPECT_FALSE(torch::equal(change, change.slice(2, 0, 1).expand_as(change)));
}

TEST(Square, SquaresShrinkOnThePapersSchedule) {
  std::int64_t asked = 0;  // every image is worse than the one before it, so that all squares lie on the stripes
  FunctionVictim victim([&](const torch::Tensor& /*image*/) { return 50 - 0.01 * static_cast<double>(asked++); });
  static_cast<void>(run("square:queries=401", victim, grey(64, 64)));
  struct Change {
    std::size_t step;
    std::int64_t side;
  };
  // make_black_box_values.py: of 400 steps on 64 x 64, from this one on squares of that side.
  const std::vector<Change> changes = {{0, 14}, {1, 10}, {3, 7}, {9, 5}, {21, 4}, {41, 3}, {81, 2}, {161, 1}};
  const auto& stripes = victim.asked().at(2);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto end = i + 1 < changes.size() ? changes[i + 1].step : 399;
    std::int64_t widest = 0;
    for (auto step = changes[i].step; step < end; ++step) {
      const auto box = changed_box(victim.asked().at(3 + step), stripes);
      EXPECT_EQ(box.height, changes[i].side) << step;
      widest = std::max(widest, box.width);
    }
    EXPECT_LE(widest, changes[i].side);
  }
}

TEST(Square, OfficialBeginsAtTheCleanImageAndKeepsToItsCorner) {
  std::int64_t asked = 0;
  FunctionVictim victim([&](const torch::Tensor& /*image*/) { return 50 - 0.01 * static_cast<double>(asked++); });
  const auto pixels = grey(40, 400);
  static_cast<void>(run("square:queries=40,variant=official", victim, pixels));
  for (std::size_t i = 2; i + 1 < victim.asked().size(); ++i) {
    EXPECT_LE(changed_box(victim.asked()[i], pixels[0]).right, 256);
  }
}

TEST(Simba, FindsTheOptimumOfALinearScoreByPixels) {
  const auto weight = weights(8, 8);
  FunctionVictim victim(linear(weight));
  const auto result = run("simba:basis=pixel", victim, grey(8, 8), 3);
  EXPECT_TRUE(torch::equal((result.attacked * 255.0).round()[0], 100 + 3 * weight.sign()));
}

TEST(Simba, EndsAfterAPassInWhichNothingHelps) {
  const auto weight = weights(8, 8).abs();
  FunctionVictim victim(linear(weight));
  static_cast<void>(run("simba:basis=pixel", victim, grey(8, 8), 3));
  // Judged twice; the clean image; each of 192 values raised at once; a pass of two vain tries for each.
  EXPECT_EQ(victim.queries(), 2 + 1 + 192 + 2 * 192);
}

TEST(Simba, StepsAlongLowCosineWaves) {
  // The score falls with every question, so that each image is one step from the clean one.
  std::int64_t asked = 0;
  FunctionVictim victim([&](const torch::Tensor& /*image*/) { return 50 - 0.01 * static_cast<double>(asked++); });
  static_cast<void>(run("simba:frequencies=3,queries=55,step=0.5", victim, grey(16, 16), 100));
  const auto waves = dct_matrix(16);
  for (std::size_t i = 2; i + 1 < victim.asked().size(); ++i) {
    const auto step = victim.asked()[i] - grey(16, 16)[0];
    const auto coefficients = waves.matmul(step).matmul(waves.t());
    // One coefficient of length .5; rounding to levels leaves errors of half a level in each.
    EXPECT_NEAR(coefficients.abs().max().item<double>(), 0.5, 5 * kLevel);
    EXPECT_GT(coefficients.slice(1, 0, 3).slice(2, 0, 3).abs().max().item<double>(), 0.4);
    EXPECT_NEAR(step.norm().item<double>(), 0.5, 0.05);
  }
}

TEST(DctMatrix, IsScipys) {
  // make_black_box_values.py: scipy.fft.dct(np.eye(5), axis=0, norm="ortho")
  const auto expected = torch::tensor({{0.4472136, 0.4472136, 0.4472136, 0.4472136, 0.4472136},
                                       {0.601501, 0.371748, 0.0, -0.371748, -0.601501},
                                       {0.5116673, -0.1954395, -0.6324555, -0.1954395, 0.5116673},
                                       {0.371748, -0.601501, 0.0, 0.601501, -0.371748},
                                       {0.1954395, -0.5116673, 0.6324555, -0.5116673, 0.1954395}});
  EXPECT_TRUE(torch::allclose(dct_matrix(5), expected, 0, 1e-6)) << dct_matrix(5);
}

TEST(Nes, ProbesInAntitheticPairs) {
  FunctionVictim victim(linear(weights(16, 16)));
  static_cast<void>(run("nes:queries=12,pairs=5,sigma=0.02", victim, grey(16, 16), 60));
  for (std::size_t pair = 0; pair < 5; ++pair) {
    const auto forward = victim.asked().at(2 + 2 * pair) - grey(16, 16)[0];
    const auto backward = victim.asked().at(3 + 2 * pair) - grey(16, 16)[0];
    EXPECT_TRUE(torch::allclose(forward, -backward, 0, 1e-6));
    EXPECT_NEAR(forward.std().item<double>(), 0.02, 0.002);  // of 768 values
  }
}

TEST(Nes, StepsToTheSideOfTheGradient) {
  const auto weight = weights(4, 4);
  FunctionVictim victim(linear(weight));
  const auto result = run("nes:queries=402,pairs=200,sigma=0.04", victim, grey(4, 4), 60);
  const auto change = ((result.attacked[0] - grey(4, 4)[0]) * 255.0).round();
  EXPECT_TRUE((change.abs() == 60).all().item<bool>());  // the one step is 2.5 budgets
  // The estimate's component i is w_i +- |w| / sqrt(200), about .5: 2 % of the signs are wrong.
  EXPECT_GE((change.sign() == weight.sign()).sum().item<std::int64_t>(), 42);
}

TEST(Nes, OfficialRepeatsATileOfNoise) {
  FunctionVictim victim(linear(weights(64, 64)));
  static_cast<void>(run("nes:queries=12,pairs=5,variant=official", victim, grey(64, 64), 100));
  const auto probe = victim.asked().at(2) - grey(64, 64)[0];
  const auto tile = probe.slice(1, 0, 32).slice(2, 0, 32);
  EXPECT_TRUE(torch::equal(probe, tile.repeat({1, 2, 2})));
  EXPECT_NEAR(probe.std().item<double>(), 0.001, 0.0001);
}

TEST(Parsimonious, FindsTheOptimumOfALinearScore) {
  const auto weight = weights(8, 8);
  FunctionVictim victim(linear(weight));
  const auto result = run("parsimonious:block=4,group=7", victim, grey(8, 8), 3);
  EXPECT_TRUE(torch::equal((result.attacked * 255.0).round()[0], 100 + 3 * weight.sign()));
}

TEST(Parsimonious, AsksWhatTheLazyGreedyRuleNeeds) {
  FunctionVictim victim(linear(weights(2, 2).abs()));
  static_cast<void>(run("parsimonious:block=2", victim, grey(2, 2), 3));
  // By hand: judged twice, the clean image, all at -eps. Of 3 blocks all gains are measured (3), the best is flipped at
  // once, the others are measured again (2). To lower them again helps nowhere (3). 12 blocks of one pixel: nor there.
  EXPECT_EQ(victim.queries(), 2 + 1 + 1 + 3 + 2 + 3 + 12);
}

TEST(Parsimonious, TakesTheBestBlockFirst) {
  auto weight = torch::ones({3, 4, 4});
  weight[1].slice(0, 0, 2).slice(1, 2, 4).fill_(5);
  FunctionVictim victim(linear(weight));
  // Clean, all at -eps, 12 gains; then the best is flipped and the first of the others asked for with it.
  static_cast<void>(run("parsimonious:block=2,queries=15", victim, grey(4, 4), 3));
  const auto raised = victim.asked().at(1 + 14) > grey(4, 4)[0];
  EXPECT_TRUE(raised[1].slice(0, 0, 2).slice(1, 2, 4).all().item<bool>());
  EXPECT_EQ(raised.sum().item<std::int64_t>(), 8);
}

/// An image with this row of grey levels, eight times.
image::Image rows_of(const std::vector<int>& levels) {
  image::Image image(static_cast<int>(levels.size()), 8);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      std::fill_n(image.at(x, y), 3, static_cast<std::uint8_t>(levels[static_cast<std::size_t>(x)]));
    }
  }
  return image;
}

TEST(JustNoticeableDifference, OfARampHasNoEdges) {
  const auto image = rows_of({0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110});
  // make_black_box_values.py
  const auto expected = torch::tensor({24.914, 22.600685, 23.317629, 22.2563, 21.361559, 20.573276, 19.860614,
                                       19.205253, 18.595258, 18.022338, 13.970458, 9.945058});
  EXPECT_TRUE(torch::allclose(just_noticeable_difference(image)[4], expected, 0, 1e-4));
  EXPECT_FALSE(near_edges(image).any().item<bool>());
}

TEST(JustNoticeableDifference, OfAStepIsLargeNearTheEdge) {
  const auto image = rows_of({0, 0, 0, 0, 200, 200, 200, 200, 200, 200, 200, 200});
  // make_black_box_values.py
  const auto expected = torch::tensor({20.0, 44.186, 114.035, 114.035, 103.332656, 102.981656, 4.710938, 4.710938,
                                       4.710938, 4.710938, 4.710938, 4.710938});
  EXPECT_TRUE(torch::allclose(just_noticeable_difference(image)[4], expected, 0, 1e-4))
      << just_noticeable_difference(image)[4];
  const auto near = near_edges(image)[4].nonzero().flatten();
  EXPECT_TRUE(torch::equal(near, torch::tensor({2, 3, 4}, torch::kInt64))) << near;
}

TEST(ScoreBoundary, MovesNoPixelFurtherThanIsUnseen) {
  const auto image = testing::tiny_image(40, 32);
  const auto pixels = data::to_tensor(image).unsqueeze(0);
  const auto allowed = (0.38 * just_noticeable_difference(image)).floor();
  FunctionVictim victim([](const torch::Tensor& at) { return 50 + 400 * at.std().item<double>(); });
  const auto result = run("score-boundary:queries=300", victim, pixels, 255);
  for (const auto& asked : victim.asked()) {
    EXPECT_TRUE((((asked - pixels[0]) * 255.0).round().abs() <= allowed).all().item<bool>());
  }
  EXPECT_GT(result.linf_levels, 4);
  EXPECT_GT(result.attacked_raw, result.clean_raw + 1);
}

TEST(ScoreBoundary, StartsOnTheEdges) {
  const auto image = rows_of({0, 0, 0, 0, 0, 0, 0, 0, 200, 200, 200, 200, 200, 200, 200, 200});
  const auto pixels = data::to_tensor(image).unsqueeze(0);
  FunctionVictim victim([&](const torch::Tensor& at) { return 50 - (at - pixels[0]).norm().item<double>(); });
  static_cast<void>(run("score-boundary:queries=20", victim, pixels, 255));
  bool changed = false;
  for (const auto& asked : victim.asked()) {
    const auto columns = (asked != pixels[0]).any(0).any(0);
    changed = changed || columns.any().item<bool>();
    EXPECT_FALSE(columns.slice(0, 0, 6).any().item<bool>());
    EXPECT_FALSE(columns.slice(0, 9).any().item<bool>());
  }
  EXPECT_TRUE(changed);
}

TEST(ScoreBoundary, ApproachesABoundaryWithLessChange) {
  const auto pixels = data::to_tensor(testing::tiny_image(32, 32)).unsqueeze(0);
  const auto weight = weights(32, 32, 3);
  const auto score = [&](const torch::Tensor& at) {
    return 50 + ((at - pixels[0]) * 255.0 * weight).sum().item<double>() / 100;
  };
  FunctionVictim victim(score);
  static_cast<void>(run("score-boundary:boundaries=1,queries=400", victim, pixels, 255));
  // 1 % of the way to 100, or more when the first crossing went far beyond it.
  double first = 0;
  double last = 0;
  for (std::size_t i = 0; i + 1 < victim.asked().size(); ++i) {
    if (victim.scores()[i] > 50.5) {
      last = (victim.asked()[i] - pixels[0]).norm().item<double>();
      first = first > 0 ? first : last;
    }
  }
  EXPECT_GT(first, 0);
  EXPECT_LT(last, 0.9 * first);
  EXPECT_LT(victim.queries(), 400);  // one boundary, at most 100 calls to approach it
}

TEST(ScoreBoundary, EndsWhereNoBoundaryCanBeCrossed) {
  const auto pixels = grey(16, 16);
  FunctionVictim victim([](const torch::Tensor& /*image*/) { return 50.0; });
  const auto result = run("score-boundary:tries=5", victim, pixels);
  EXPECT_TRUE(torch::equal(result.attacked, pixels));
  // Judged twice; the clean image; 5 tries at 1 %, at .5 %, at .25 % = 1/400 of the way, where it ends.
  EXPECT_EQ(victim.queries(), 2 + 1 + 3 * 5);
}

}  // namespace
}  // namespace steadyiqa::attacks
