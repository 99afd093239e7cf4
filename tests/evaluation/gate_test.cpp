#include "evaluation/gate.h"

#include "base/expect_error.h"

#include <gtest/gtest.h>

#include <cmath>

namespace steadyiqa::evaluation {
namespace {

using ::steadyiqa::testing::error_message;

Evaluation at(int levels, double change, double srocc_attacked = 0.5) {
  static const AttackDescription kFgsm{.name = "fgsm", .direction = "up", .unit = "image"};
  Evaluation e;
  e.calibrated = true;
  e.expected_images = 1;
  e.images.resize(1);
  e.clean.srocc = 0.8;
  e.attack = kFgsm;
  e.attack->epsilon = levels / 255.0;
  e.attack->levels = levels;
  e.attacked.emplace();
  e.attacked->change.mean_absolute = change;
  e.attacked->with_mos.srocc = srocc_attacked;
  return e;
}

TEST(Gate, HoldsWhereEveryLimitDoes) {
  const std::vector<Evaluation> list = {at(2, 3.0), at(4, 4.9)};
  const auto checks = check_gate(list, {.epsilon = 4 / 255.0, .max_change = 5.0, .min_srocc = 0.7});
  ASSERT_EQ(checks.size(), 2U);
  EXPECT_TRUE(checks[0].holds());
  EXPECT_TRUE(checks[1].holds());
  EXPECT_EQ(checks[1].value, 4.9);
}

TEST(Gate, LooksOnlyAtItsBudget) {
  const std::vector<Evaluation> list = {at(2, 3.0), at(4, 9.0)};
  EXPECT_TRUE(check_gate(list, {.epsilon = 2 / 255.0, .max_change = 5.0})[0].holds());
  const auto every = check_gate(list, {.max_change = 5.0});
  ASSERT_EQ(every.size(), 2U);
  EXPECT_FALSE(every[1].holds());
  EXPECT_NE(every[1].text().find("FAILED"), std::string::npos);
}

TEST(Gate, FailsOnWhatIsNotDefined) {
  EXPECT_FALSE(check_gate(std::vector{at(2, 1, std::nan(""))}, {.min_srocc_attacked = -1.0})[0].holds());
}

TEST(Gate, GivesNoVerdictWithoutLimitsBudgetImagesOrCalibration) {
  const auto usage = [](const std::vector<Evaluation>& list, const GateLimits& limits) {
    return error_message(ErrorKind::kUsage, [&] { static_cast<void>(check_gate(list, limits)); });
  };
  EXPECT_NE(usage({at(2, 1)}, {}).find("nothing is limited"), std::string::npos);
  EXPECT_NE(usage({at(2, 1)}, {.epsilon = 8 / 255.0, .max_change = 1.0}).find("8/255"), std::string::npos);
  auto raw = at(2, 1);
  raw.calibrated = false;
  EXPECT_NE(usage({raw}, {.max_change = 1.0}).find("not calibrated"), std::string::npos);
  auto partial = at(2, 1);
  partial.expected_images = 3;
  EXPECT_NE(error_message(ErrorKind::kInput,
                          [&] { static_cast<void>(check_gate(std::vector{partial}, {.max_change = 1.0})); })
                .find("1 of 3"),
            std::string::npos);
}

}  // namespace
}  // namespace steadyiqa::evaluation
