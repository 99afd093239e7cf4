#include "base/text.h"

#include "base/expect_error.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace steadyiqa {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_message;
using ::testing::HasSubstr;

TEST(NearestNameTest, FindsTheSmallestEditDistance) {
  const std::vector<std::string> names{"learning_rate", "epochs", "batch_size"};
  EXPECT_EQ(nearest_name("epohcs", names), "epochs");
  EXPECT_EQ(nearest_name("BATCHSIZE", names), "batch_size");
  EXPECT_EQ(nearest_name("anything", {}), "");
}

TEST(SuggestionTest, NamesOneWhenNearAndAllWhenNot) {
  const std::vector<std::string> names{"epochs", "batch_size"};
  EXPECT_EQ(suggestion("epoch", names), " (did you mean 'epochs'?)");
  EXPECT_EQ(suggestion("zzz", names), " (known: epochs, batch_size)");
  EXPECT_EQ(suggestion("zzz", {}), "");
  EXPECT_EQ(suggestion(std::string(5000000, 'e'), names), " (known: epochs, batch_size)");
}

TEST(ParseNumberTest, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(parse_number(" -1.5e3\t"), -1500.0);
  EXPECT_EQ(parse_number("+2"), 2.0);
  EXPECT_EQ(parse_number("5e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_TRUE(std::isnan(parse_number("nan").value()));
  EXPECT_TRUE(std::isinf(parse_number("-inf").value()));
  for (const auto* text : {"", " ", "1.5x", "1,5", "--1", "+-1", "+", "1 2", "0x10", "1e999"}) {
    EXPECT_FALSE(parse_number(text)) << text;
  }
}

TEST(CsvTest, SplitsAsPythonsCsvModule) {
  // python3 -c 'import csv; print(next(csv.reader([LINE])))'
  EXPECT_THAT(split_csv_line("a,,\"b,c\",\"say \"\"hi\"\"\",d e"), ElementsAre("a", "", "b,c", "say \"hi\"", "d e"));
  EXPECT_THAT(split_csv_line("x,\"\","), ElementsAre("x", "", ""));
  EXPECT_THAT(split_csv_line("5\" disk,b\r"), ElementsAre("5\" disk", "b"));
  EXPECT_THAT(split_csv_line("\"\"\"\""), ElementsAre("\""));
}

TEST(CsvTest, RefusesBrokenQuotes) {
  for (const auto* line : {"a,\"b", "\"", "\"a\"\"", "\"a\"b,c"}) {
    EXPECT_THAT(error_message(ErrorKind::kInput, [&] { (void)split_csv_line(line); }), HasSubstr("quote")) << line;
  }
}

TEST(CsvTest, QuotedFieldsComeBackUnchanged) {
  const std::vector<std::string> fields{"plain",    "",  "a,b",         "\"",        "\"\"quoted\"\"",
                                        " padded ", ",", "caf\xC3\xA9", "tab\there", "=1+2"};
  std::string line;
  for (const auto& text : fields) {
    line += line.empty() ? "" : ",";
    line += csv_field(text);
  }
  EXPECT_EQ(split_csv_line(line), fields);
  EXPECT_EQ(csv_field("plain"), "plain");
  EXPECT_EQ(split_csv_line(csv_field("two\r\nlines")).at(0), "two  lines");
}

TEST(PixelQuantityTest, ReadsFractionsAndPixelUnits) {
  EXPECT_DOUBLE_EQ(parse_pixel_quantity("4/255", "budget"), 4.0 / 255.0);
  EXPECT_DOUBLE_EQ(parse_pixel_quantity(" 0.5 / 255 ", "budget"), 0.5 / 255.0);
  EXPECT_DOUBLE_EQ(parse_pixel_quantity("0.005px", "budget"), 0.005);
  EXPECT_DOUBLE_EQ(parse_pixel_quantity("1px", "budget"), 1.0);
  EXPECT_DOUBLE_EQ(parse_pixel_quantity("255/255", "budget"), 1.0);
}

class BadPixelQuantityTest : public ::testing::TestWithParam<const char*> {};

TEST_P(BadPixelQuantityTest, IsAUsageErrorThatNamesTheUnit) {
  EXPECT_THAT(error_message(ErrorKind::kUsage, [] { (void)parse_pixel_quantity(GetParam(), "budget"); }),
              AllOf(HasSubstr("budget"), HasSubstr(GetParam()), HasSubstr("pixel units"), HasSubstr("4/255")));
}

INSTANTIATE_TEST_SUITE_P(All, BadPixelQuantityTest,
                         ::testing::Values("4", "0.005", "-1/255", "5/0", "nan px", "nanpx", "2px", "0px", "0/255",
                                           "-0.1px", "256/255", "1/-255", "inf/inf", "1/inf", "infpx", "4/255px",
                                           "4/255/2", "px", "/", "", "four", "4 px px"));

TEST(TrimTest, DropsBlanksAtBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim("  "), "");
  EXPECT_EQ(trim(""), "");
}

TEST(LowerTest, TouchesOnlyAsciiLetters) { EXPECT_EQ(lower("AZaz09_\xC3\x89"), "azaz09_\xC3\x89"); }

}  // namespace
}  // namespace steadyiqa
