// What holds for every attack of the catalogue.
#include "attacks/catalogue.h"

#include "attacks/quick_spec.h"
#include "attacks/tiny_scorer.h"
#include "base/expect_error.h"
#include "base/seed.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::kTinyCrop;
using ::steadyiqa::testing::quick_spec;
using ::steadyiqa::testing::raw_score;
using ::steadyiqa::testing::tiny_images;
using ::steadyiqa::testing::tiny_scorer;

constexpr double kLevel = 1.0 / 255.0;

/// The attacked image as a user would get it: saved as PNG and read again.
torch::Tensor through_png(const torch::Tensor& attacked) {
  const auto bytes = image::encode_png(data::to_image(attacked));
  return data::to_tensor(image::decode(bytes, "attacked.png").value()).unsqueeze(0);
}

/// Largest difference of two images in grey levels, by integers.
int levels_between(const torch::Tensor& a, const torch::Tensor& b) {
  const auto x = data::to_image(a).pixels;
  const auto y = data::to_image(b).pixels;
  int largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(int{x[i]} - int{y[i]}));
  }
  return largest;
}

/// The attack with few enough model calls for a test.
AttackSpec affordable(const std::string& name, std::int64_t queries) {
  auto spec = quick_spec(name);
  for (const auto& parameter : find_attack(name).parameters) {
    if (parameter.name == "queries") {
      spec.parameters["queries"] = queries;
    }
  }
  return spec;
}

class EveryAttack : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr std::int64_t kFew = 8;  ///< queries where strength is not tested
  [[nodiscard]] static const AttackInfo& info() { return find_attack(GetParam()); }
  /// Whether it goes to the edge of the budget, and surely the right way.
  [[nodiscard]] static bool is_sure() { return info().searches && info().box == Box::kWhite; }
  [[nodiscard]] static AttackOptions options(double epsilon, Direction direction = Direction::kUp,
                                             std::int64_t queries = kFew) {
    return {.attack = affordable(GetParam(), queries), .epsilon = epsilon, .direction = direction};
  }
  static AttackResult attack(const models::Scorer& scorer, const torch::Tensor& pixels, const AttackOptions& options) {
    return make_attack(options.attack)->run(scorer, pixels, options);
  }
};
/// Those that strive for the largest change within the budget.
class SearchingAttack : public EveryAttack {};
/// Those of them that see the gradient.
class WhiteBoxSearch : public EveryAttack {};

std::vector<std::string> names_where(const std::function<bool(const AttackInfo&)>& holds) {
  std::vector<std::string> names;
  for (const auto& info : attack_catalogue()) {
    if (holds(info)) {
      names.push_back(info.name);
    }
  }
  return names;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& test) {
  auto name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryAttack,
                         ::testing::ValuesIn(names_where([](const AttackInfo& /*any*/) { return true; })), test_name);
INSTANTIATE_TEST_SUITE_P(Catalogue, SearchingAttack,
                         ::testing::ValuesIn(names_where([](const AttackInfo& entry) { return entry.searches; })),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Catalogue, WhiteBoxSearch, ::testing::ValuesIn(names_where([](const AttackInfo& entry) {
                           return entry.searches && entry.box == Box::kWhite;
                         })),
                         test_name);

TEST_P(EveryAttack, StaysWithinBudgetAndIsAnEightBitImage) {
  const auto scorer = tiny_scorer();
  struct Case {
    double epsilon;
    int levels;
  };
  for (const auto& [epsilon, levels] : {Case{0.005, 1}, {2 * kLevel, 2}, {4.7 * kLevel, 4}, {32 * kLevel, 32}}) {
    for (const auto direction : {Direction::kUp, Direction::kDown, Direction::kBoth}) {
      for (const auto& pixels : tiny_images(2)) {
        const auto result = attack(scorer, pixels, options(epsilon, direction));
        EXPECT_TRUE(torch::equal(through_png(result.attacked), result.attacked));  // so in [0,1] and on the 1/255 grid
        EXPECT_LE(levels_between(result.attacked, pixels), levels) << epsilon;
        EXPECT_EQ(result.linf_levels, levels_between(result.attacked, pixels));
        EXPECT_TRUE(!is_sure() || result.linf_levels == levels);
      }
    }
  }
}

TEST_P(EveryAttack, ReportsTheScoresOfFreshForwardPasses) {
  const auto scorer = tiny_scorer();
  for (const auto& pixels : tiny_images(3)) {
    const auto result = attack(scorer, pixels, options(3.6 * kLevel, Direction::kBoth));
    EXPECT_EQ(result.clean_raw, raw_score(scorer, pixels));
    EXPECT_EQ(result.attacked_raw, raw_score(scorer, through_png(result.attacked)));
    EXPECT_TRUE(!is_sure() || result.float_raw != result.attacked_raw);  // 3.6 levels do not survive rounding
  }
}

TEST_P(SearchingAttack, BeatsRandomSignsOfTheSameBudget) {
  constexpr std::int64_t kQueries = 80;
  const auto scorer = tiny_scorer();
  Rng rng(1);
  double attacked = 0;
  double random = 0;
  for (const auto& pixels : tiny_images(6)) {
    const auto result = attack(scorer, pixels, options(2 * kLevel, Direction::kUp, kQueries));
    attacked += result.attacked_raw - result.clean_raw;
    auto noise = torch::empty_like(pixels);
    auto* values = noise.data_ptr<float>();
    for (std::int64_t i = 0; i < noise.numel(); ++i) {
      values[i] = rng.below(2) == 0 ? -1.0F : 1.0F;
    }
    random += std::abs(raw_score(scorer, round_to_8_bit(pixels + 2 * kLevel * noise, pixels, 2)) - result.clean_raw);
  }
  EXPECT_GT(attacked, (is_sure() ? 3 : 1) * random);
}

TEST_P(EveryAttack, GivesTheSameResultTwice) {
  const auto pixels = tiny_images(1)[0];
  const auto first = attack(tiny_scorer(), pixels, options(2 * kLevel));
  const auto second = attack(tiny_scorer(), pixels, options(2 * kLevel));
  EXPECT_TRUE(torch::equal(first.attacked, second.attacked));
  EXPECT_EQ(first.attacked_raw, second.attacked_raw);
  EXPECT_EQ(first.model_calls, second.model_calls);
}

TEST_P(EveryAttack, LeavesTheNetworkAsItWas) {
  for (const auto unit : {Unit::kImage, Unit::kCrop}) {
    const auto scorer = tiny_scorer();
    auto& network = scorer.network();
    network.train();
    network.children().front()->eval();  // a mixed mode, as with a frozen trunk
    std::vector<bool> modes;
    for (const auto& child : network.modules()) {
      modes.push_back(child->is_training());
    }
    std::vector<torch::Tensor> state;
    for (const auto& [name, tensor] : models::state_entries(network)) {
      state.push_back(tensor.detach().clone());
    }
    auto given = options(2 * kLevel);
    given.unit = unit;
    const auto result = attack(scorer, tiny_images(1)[0], given);
    EXPECT_FALSE(result.attacked.requires_grad());
    for (const auto& value : network.parameters()) {
      EXPECT_FALSE(value.grad().defined());
    }
    std::size_t i = 0;
    for (const auto& [name, tensor] : models::state_entries(network)) {
      EXPECT_TRUE(torch::equal(tensor, state[i++])) << name;
    }
    i = 0;
    for (const auto& child : network.modules()) {
      EXPECT_EQ(child->is_training(), modes[i++]) << child->name();
    }
  }
}

TEST_P(EveryAttack, TakesAnySize) {
  const auto scorer = tiny_scorer();
  struct Size {
    int width, height;
  };
  for (const auto& [width, height] : {Size{65, 47}, {21, 64}, {20, 13}, {kTinyCrop, kTinyCrop}}) {
    const auto pixels = data::to_tensor(testing::tiny_image(width, height)).unsqueeze(0);
    const auto result = attack(scorer, pixels, options(2 * kLevel));
    EXPECT_TRUE(result.attacked.sizes().equals(pixels.sizes()));
    EXPECT_TRUE(!is_sure() || levels_between(result.attacked, pixels) == 2);
    EXPECT_TRUE(!info().searches || result.attacked_raw >= result.clean_raw) << width << "x" << height;
    EXPECT_TRUE(!is_sure() || result.attacked_raw > result.clean_raw) << width << "x" << height;
  }
}

TEST_P(EveryAttack, ClaimsNothingWhereTheScoreDoesNotDependOnTheImage) {
  const auto scorer = tiny_scorer(33.0);
  testing::make_constant(scorer.network());
  const auto pixels = tiny_images(1)[0];
  const auto result = attack(scorer, pixels, options(2 * kLevel, Direction::kBoth));
  EXPECT_EQ(result.clean_raw, 33.0);
  EXPECT_EQ(result.attacked_raw, 33.0);
  EXPECT_LE(levels_between(result.attacked, pixels), 2);
}

TEST_P(EveryAttack, FailsOnWeightsThatAreNaN) {
  for (const auto unit : {Unit::kImage, Unit::kCrop}) {
    const auto scorer = tiny_scorer();
    {
      const torch::NoGradGuard no_grad;
      testing::parameter(scorer.network(), "head.0.weight")[0].fill_(std::numeric_limits<float>::quiet_NaN());
    }
    auto given = options(2 * kLevel);
    given.unit = unit;
    const auto message = error_message(ErrorKind::kNumeric, [&] { attack(scorer, tiny_images(1)[0], given); });
    EXPECT_NE(message.find("not finite"), std::string::npos) << message;
  }
}

TEST_P(EveryAttack, RefusesABudgetBelowOneLevel) {
  const auto scorer = tiny_scorer();
  const auto message = error_message(ErrorKind::kUsage, [&] { attack(scorer, tiny_images(1)[0], options(0.003)); });
  EXPECT_NE(message.find("0.003"), std::string::npos) << message;
}

TEST_P(EveryAttack, KeepsEachCropWithinBudget) {
  const auto scorer = tiny_scorer();
  auto given = options(0.005, Direction::kBoth);
  given.unit = Unit::kCrop;
  // 21 x 27 is enlarged to the crop's size: there the clean crop itself lies between grey levels.
  for (const auto& pixels : {tiny_images(1)[0], data::to_tensor(testing::tiny_image(21, 27)).unsqueeze(0)}) {
    const auto crops = scorer.crops(pixels);
    const auto result = attack(scorer, pixels, given);
    ASSERT_TRUE(result.attacked.sizes().equals(crops.sizes()));
    for (std::int64_t i = 0; i < crops.size(0); ++i) {
      const auto attacked = result.attacked.slice(0, i, i + 1);
      EXPECT_TRUE(torch::equal(through_png(attacked), attacked));
      EXPECT_LE((attacked - crops[i]).abs().max().item<double>(), 0.005 + 1e-6);
      EXPECT_TRUE(!is_sure() || (attacked - crops[i]).abs().max().item<double>() > 0.9 * kLevel);
    }
    EXPECT_LE(result.linf_levels, 1);
    const torch::NoGradGuard no_grad;
    EXPECT_EQ(result.clean_raw, scorer.raw_of_crops(crops).mean().item<double>());
    EXPECT_NEAR(result.attacked_raw, scorer.raw_of_crops(result.attacked).mean().item<double>(), 1e-5);
  }
}

TEST_P(EveryAttack, CropsOfWeightedPoolingAreRefused) {
  auto scorer = tiny_scorer();
  auto changed = scorer.options();
  changed.crops.pooling = image::Pooling::kWeighted;
  scorer.set_options(changed);
  auto given = options(0.005);
  given.unit = Unit::kCrop;
  const auto message = error_message(ErrorKind::kUsage, [&] { attack(scorer, tiny_images(1)[0], given); });
  EXPECT_NE(message.find("weighted pooling"), std::string::npos) << message;
}

/// score = sum over pixels of weight x pixel: every attack's optimum is known.
class Linear : public models::Network {
 public:
  explicit Linear(torch::Tensor weight) : weight_(std::move(weight)) {}
  torch::Tensor forward(const torch::Tensor& x) override { return (x * weight_).sum({1, 2, 3}); }

 private:
  torch::Tensor weight_;
};

TEST_P(WhiteBoxSearch, FindsTheOptimumOfALinearScore) {
  torch::manual_seed(1);
  const auto weight = torch::randn({1, 3, kTinyCrop, kTinyCrop});
  const models::Scorer scorer(std::make_shared<Linear>(weight), testing::tiny_options());
  const auto pixels = torch::full({1, 3, kTinyCrop, kTinyCrop}, 100.0 / 255.0);
  const auto result = attack(scorer, pixels, options(3 * kLevel, Direction::kDown));
  const auto expected = (100.0 - 3.0 * weight.sign()) / 255.0;
  EXPECT_TRUE(torch::equal(result.attacked, expected));
  // Going down by eps changes a linear score by eps ||w / std||_1.
  const auto std = torch::tensor({0.229, 0.224, 0.225}).view({1, 3, 1, 1});
  const double change = 3 * kLevel * (weight / std).abs().sum().item<double>();
  EXPECT_NEAR(result.clean_raw - result.attacked_raw, change, 1e-4 * change);
  EXPECT_EQ(result.direction, -1);
}

TEST(AttackCatalogue, NamesTheNearestAttack) {
  const auto message = error_message(ErrorKind::kUsage, [] { static_cast<void>(make_attack({"ifgm"})); });
  EXPECT_NE(message.find("'ifgsm'"), std::string::npos) << message;
}

TEST(IteratedFgsm, IsAtLeastAsStrongAsFgsm) {
  const auto scorer = tiny_scorer();
  double one_step = 0;
  double iterated = 0;
  for (const auto& pixels : tiny_images(6)) {
    AttackOptions options{.epsilon = 8 * kLevel, .direction = Direction::kUp};
    const auto fgsm = make_attack({"fgsm"})->run(scorer, pixels, options);
    const auto ifgsm = make_attack({"ifgsm"})->run(scorer, pixels, options);
    one_step += fgsm.attacked_raw - fgsm.clean_raw;
    iterated += ifgsm.attacked_raw - ifgsm.clean_raw;
    EXPECT_EQ(ifgsm.model_calls - fgsm.model_calls, 9);
  }
  EXPECT_GT(iterated, 1.02 * one_step);
}

TEST(EightBitRounding, MovesByWholeLevelsWithinBudget) {
  // In grey levels, each column clean / proposed / expected with a budget of 2 levels. The last two clean values lie
  // between levels (an enlarged crop): the result must not be further than 2 from them either.
  const auto clean = torch::tensor({10.0, 10.0, 10.0, 1.0, 254.0, 255.0, 10.4, 10.6}) / 255.0;
  const auto proposed = torch::tensor({12.4, 7.0, 10.4, -1.0, 256.0, 255.0, 8.0, 13.0}) / 255.0;
  const auto expected = torch::tensor({12.0, 8.0, 10.0, 0.0, 255.0, 255.0, 9.0, 12.0}) / 255.0;
  EXPECT_TRUE(torch::equal(round_to_8_bit(proposed, clean, 2), expected)) << round_to_8_bit(proposed, clean, 2) * 255.0;
}

TEST(Budget, KeepsWholeGreyLevels) {
  EXPECT_EQ(budget_levels(0.005), 1);
  EXPECT_EQ(budget_levels(1.0 / 255.0), 1);
  EXPECT_EQ(budget_levels(4.0 / 255.0), 4);
  EXPECT_EQ(budget_levels(0.0157), 4);
  EXPECT_EQ(budget_levels(1.0), 255);
  error_message(ErrorKind::kUsage, [] { static_cast<void>(budget_levels(0.0039)); });
}

}  // namespace
}  // namespace steadyiqa::attacks
