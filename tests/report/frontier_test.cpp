#include "report/frontier.h"

#include "base/expect_error.h"
#include "report/evaluations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace steadyiqa::report {
namespace {

using steadyiqa::testing::error_message;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

evaluation::Evaluation model_of(const std::string& regulariser, double lambda, double clean, double attacked) {
  auto e = testing::attacked_evaluation("m.safetensors", attacked, 1.0);
  e.regulariser = regulariser;
  e.lambda = lambda;
  e.clean.srocc = clean;
  return e;
}

std::vector<std::string> labels(const PlotSeries& series) {
  std::vector<std::string> found;
  for (const auto& point : series.points) {
    found.push_back(point.label);
  }
  return found;
}

TEST(Frontier, AModelIsAPointOfItsCleanAndAttackedSrocc) {
  const std::vector<evaluation::Evaluation> models = {model_of("nt", 1e-3, 0.71, 0.35)};
  const auto series = frontier_series(models);
  ASSERT_EQ(series.size(), 1U);
  ASSERT_EQ(series[0].points.size(), 1U);
  EXPECT_DOUBLE_EQ(series[0].points[0].x, 0.71);
  EXPECT_DOUBLE_EQ(series[0].points[0].y, 0.35);
}

TEST(Frontier, EachKindIsASeriesInTheOrderOfLambdaBegunByTheBaseline) {
  const std::vector<evaluation::Evaluation> models = {
      model_of("absolute", 1e-3, 0.5, 0.5), model_of("relative", 1e-3, 0.7, 0.3), model_of("none", 0, 0.8, -0.1),
      model_of("absolute", 1e-5, 0.7, 0.2)};
  const auto series = frontier_series(models);
  ASSERT_EQ(series.size(), 2U);
  EXPECT_EQ(series[0].name, "absolute");
  EXPECT_THAT(labels(series[0]), ElementsAre("0", "1e-05", "0.001"));
  EXPECT_EQ(series[1].name, "relative");
  EXPECT_THAT(labels(series[1]), ElementsAre("0", "0.001"));
}

TEST(Frontier, HoldsModelsUnderOneAttackOnly) {
  auto stronger = model_of("nt", 1e-2, 0.6, 0.1);
  stronger.attack->epsilon = 0.02;
  const std::vector<evaluation::Evaluation> models = {testing::clean_evaluation("c.safetensors"),
                                                      model_of("nt", 1e-3, 0.7, 0.3), stronger};
  const auto series = frontier_series(models);
  ASSERT_EQ(series.size(), 1U);
  EXPECT_THAT(labels(series[0]), ElementsAre("0.001"));
}

TEST(Frontier, BaselinesAloneAreASeriesToo) {
  const std::vector<evaluation::Evaluation> models = {model_of("none", 0, 0.8, -0.1)};
  const auto series = frontier_series(models);
  ASSERT_EQ(series.size(), 1U);
  EXPECT_EQ(series[0].name, "no regulariser");
}

TEST(Frontier, WithoutAnAttackIsAnError) {
  const std::vector<evaluation::Evaluation> models = {testing::clean_evaluation("c.safetensors")};
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { (void)frontier_picture(models); }), HasSubstr("needs an attack"));
}

}  // namespace
}  // namespace steadyiqa::report
