#include "report/scatter.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace steadyiqa::report {
namespace {

using steadyiqa::testing::error_message;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<int> colour(const image::Image& image, int x, int y) { return {image.at(x, y), image.at(x, y) + 3}; }

// The first two colours of Okabe and Ito's palette.
const std::vector<int> kBlue = {0, 114, 178};
const std::vector<int> kVermilion = {213, 94, 0};

TEST(FrontierPlot, AxesEndHalfATickBeyondTheTicks) {
  const PlotArea area = plot_area({{"a", {{0.80, 0.10, ""}, {0.85, 0.74, ""}}}});
  EXPECT_NEAR(area.x_step, 0.01, 1e-12);
  EXPECT_NEAR(area.x_min, 0.795, 1e-12);
  EXPECT_NEAR(area.x_max, 0.855, 1e-12);
  EXPECT_NEAR(area.y_step, 0.2, 1e-12);
  EXPECT_NEAR(area.y_min, -0.1, 1e-12);
  EXPECT_NEAR(area.y_max, 0.9, 1e-12);
}

// With x from 0.795 to 0.855 over 600 pixels from 90, and y from 0.9 down to -0.1 over 400 pixels from 50:
// x = 0.80 is at 140, 0.82 at 340, 0.85 at 640; y = 0.74 is at 114, 0.50 at 210, 0.10 at 370.
TEST(FrontierPlot, MarksStandAtTheirPixels) {
  const auto plot =
      frontier_plot({.title = "t"}, {{"a", {{0.80, 0.74, ""}, {0.85, 0.10, ""}}}, {"b", {{0.82, 0.5, ""}}}});
  EXPECT_EQ(plot.width, 720);
  EXPECT_EQ(plot.height, 520);
  EXPECT_EQ(colour(plot, 140, 114), kBlue);
  EXPECT_EQ(colour(plot, 143, 112), kBlue);
  EXPECT_EQ(colour(plot, 640, 370), kBlue);
  EXPECT_EQ(colour(plot, 340, 210), kVermilion);
  EXPECT_EQ(colour(plot, 200, 300), (std::vector<int>{255, 255, 255}));
}

TEST(FrontierPlot, LinesJoinTheMarksOfOneSeries) {
  const auto plot =
      frontier_plot({.title = "t"}, {{"a", {{0.80, 0.74, ""}, {0.85, 0.10, ""}}}, {"b", {{0.82, 0.7, ""}}}});
  EXPECT_EQ(colour(plot, 390, 242), kBlue);  // half way
}

TEST(FrontierPlot, APointWithoutAValueIsLeftOut) {
  const std::vector<PlotSeries> series = {{"a", {{0.80, 0.74, ""}, {kNaN, 0.3, ""}, {0.85, 0.10, ""}}}};
  EXPECT_EQ(plot_area(series).x_max, plot_area({{"a", {{0.80, 0.74, ""}, {0.85, 0.10, ""}}}}).x_max);
  EXPECT_EQ(colour(frontier_plot({.title = "t"}, series), 390, 242), kBlue);
}

TEST(FrontierPlot, NoValueAtAllIsRefused) {
  EXPECT_THAT(error_message(ErrorKind::kInput,
                            [] {
                              static_cast<void>(frontier_plot({}, {{"a", {{kNaN, 1, ""}}}}));
                            }),
              HasSubstr("no point has a value"));
}

TEST(FrontierPlot, ExtremeValuesAndTextsAreDrawnWithoutHarm) {
  const std::string text(500, 'x');
  for (const double value : {0.0, 1e-300, 1e300, -5.0, 1e15}) {
    EXPECT_EQ(frontier_plot({text, text, text}, {{text, {{value, value, text}, {0.5, -1e300, "y"}}}}).width, 720);
    EXPECT_EQ(frontier_plot({text, text, text}, std::vector<PlotSeries>(14, {text, {{value, 1, text}}})).width, 720);
  }
  const double most = std::numeric_limits<double>::max();
  EXPECT_EQ(frontier_plot({}, {{"a", {{-most, most, ""}, {most, -most, ""}}}}).width, 720);
}

}  // namespace
}  // namespace steadyiqa::report
