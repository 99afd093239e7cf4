#include "report/dataset_report.h"

#include "report/grid.h"
#include "report/table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace steadyiqa::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

data::DatasetCheck small_check() {
  data::DatasetCheck check;
  check.name = "koniq";
  check.scale = {1, 5, data::Direction::kHigherIsBetter, "koniq raw MOS 1..5"};
  check.direction = "higher is better";
  check.mos_0_100 = "100 * (label - 1) / (5 - 1)";
  check.label_min = 1.5;
  check.label_max = 4.25;
  check.label_mean = 3.125;
  check.histogram = {1, 5, {0, 1, 120, 60}};
  check.images = 181;
  check.decoded = 48;
  check.sizes = {{"512x384", 40}, {"384x512", 8}};
  check.sets = {{"", 1}, {"test", 80}, {"train", 100}};
  return check;
}

TEST(DatasetReport, TellsCountsLabelsSizesAndSets) {
  const std::string text = dataset_report(small_check());
  for (const char* part : {"181 listed, 0 missing", "references  none", "48: 0 failed", "40 512x384, 8 384x512",
                           "1 without, 80 test, 100 train", "koniq raw MOS 1..5, higher is better",
                           "1.5 to 4.25, mean 3.125", "100 * (label - 1) / (5 - 1)"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("note")));
}

// The fullest step has 60 marks, half of it 30, and no step with an image has none.
TEST(DatasetReport, BarsAreInProportion) {
  const std::string text = dataset_report(small_check());
  EXPECT_THAT(text, HasSubstr("         1       0 \n         2       1 #\n"));
  EXPECT_THAT(text, HasSubstr(fmt::format("         3     120 {}\n", std::string(60, '#'))));
  EXPECT_THAT(text, HasSubstr(fmt::format("         4      60 {}\n         5\n", std::string(30, '#'))));
}

TEST(DatasetReport, ProblemsAreNamedUpToFiveOfAKindAndNoLineIsTooLong) {
  auto check = small_check();
  for (int i = 0; i < 8; ++i) {
    check.missing.push_back({std::to_string(i) + ".png\n", std::string(200, 'x')});
  }
  check.duplicates = {{"b.png", "same bytes as a.png"}};
  check.irregularities = {"images in 512x384", std::string(150, 'y')};
  const std::string text = dataset_report(check);
  EXPECT_THAT(text, HasSubstr("missing    4.png"));
  EXPECT_THAT(text, Not(HasSubstr("missing    5.png")));
  EXPECT_THAT(text, HasSubstr("missing    and 3 more"));
  EXPECT_THAT(text, HasSubstr("duplicate  b.png: same bytes as a.png"));
  EXPECT_THAT(text, HasSubstr("note       images in 512x384"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(text_width(line), kTableWidth) << line;
  }
}

}  // namespace
}  // namespace steadyiqa::report
