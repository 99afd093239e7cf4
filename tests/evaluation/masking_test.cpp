#include "evaluation/masking.h"

#include "evaluation/evaluate.h"
#include "scoring/tiny_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <string>
#include <vector>

namespace steadyiqa::evaluation {
namespace {

using ::steadyiqa::testing::tiny_files;
using ::steadyiqa::testing::tiny_scorer;
using ::testing::HasSubstr;
using ::testing::Not;

MaskingReport report_of(const std::vector<std::string>& purification) {
  checkpoint::LoadedModel model{tiny_scorer(), {}, "0123"};
  auto options = model.scorer.options();
  options.scale = {"test", {20, 50}, true};
  options.purification = models::parse_purification(purification);
  model.scorer.set_options(options);
  return masking_report(model, "m", tiny_files().first(2), {.queries = 4, .steps = 2});
}

/// nullptr where there is none of that name.
const MaskingCheck* find(const MaskingReport& report, const std::string& name) {
  const auto found = std::ranges::find(report.checks, name, &MaskingCheck::name);
  return found == report.checks.end() ? nullptr : &*found;
}

TEST(Masking, OfAPlainModelFindsItsGradientRight) {
  const auto report = report_of({});
  EXPECT_EQ(report.adaptive, kNoneNeeded);
  EXPECT_LT(find(report, "gradient = finite difference")->value, 0.05);
  EXPECT_EQ(find(report, "scores repeat")->value, 0);
  EXPECT_EQ(find(report, "spread over other draws"), nullptr);
}

TEST(Masking, SaysThatAStraightThroughGradientIsNotTheScoresOwn) {
  const auto report = report_of({"blur:kernel=3", "jpeg:quality=30"});
  EXPECT_EQ(report.adaptive, "BPDA (jpeg)");
  const auto* check = find(report, "gradient = finite difference");
  EXPECT_THAT(check->meaning, HasSubstr("straight-through gradient (jpeg)"));
  EXPECT_FALSE(check->holds()) << check->value;  // what JPEG throws away the identity passes on
  EXPECT_LT(check->value, 1);                    // steps below a level would show no change at all: an error of 1
  EXPECT_FALSE(report.is_clear());
}

TEST(Masking, OfARandomModelShowsWhatItsDrawsHide) {
  const auto report = report_of({"noise:sigma=0.1,draws=1"});
  EXPECT_EQ(report.adaptive, "EOT 8 draws");
  EXPECT_EQ(find(report, "scores repeat")->value, 0);
  EXPECT_GT(find(report, "spread over other draws")->value, 0.01);
  const auto* check = find(report, "gradient = finite difference");
  EXPECT_LT(check->value, 0.05) << "below half a level the draw stays, so the gradient is the score's own";
  EXPECT_THAT(check->meaning, Not(HasSubstr("straight")));
  EXPECT_EQ(to_json(report).at("adaptive"), "EOT 8 draws");
}

}  // namespace
}  // namespace steadyiqa::evaluation
