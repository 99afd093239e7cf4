#include "data/table.h"

#include "xlsx_files.h"

#include <gmock/gmock.h>

#include <array>

namespace steadyiqa::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::filesystem::path text_file(const std::string& text) { return write_text(scratch_folder() / "list.txt", text); }

const std::array<TableColumn, 2> kColumns{{{"Image name", true}, {"MOS", true}}};

TEST(ReadTable, OtherColumnsAreIgnoredOrRefused) {
  const auto csv = text_file("mos,Brightness,IMAGE NAME\n1,2,a.jpg\n");
  const auto rows = read_table(csv, kColumns, OtherColumns::kIgnored);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_THAT(rows[0].fields, ElementsAre("a.jpg", "1"));
  EXPECT_THAT(error_of([&] { static_cast<void>(read_table(csv, kColumns)); }), HasSubstr("unknown column 'mos'"));
}

TEST(ReadTable, AColumnInTwoCasesStandsTwice) {
  EXPECT_THAT(
      error_of([&] {
        static_cast<void>(read_table(text_file("Image name,MOS,mos\na,1,2\n"), kColumns, OtherColumns::kIgnored));
      }),
      HasSubstr("column 'mos' stands twice"));
}

TEST(ReadTable, ASheetIsToldByItsFirstBytes) {
  const auto path = write_zip(scratch_folder() / "list.csv", workbook_of({{"MOS", "Image name"}, {"2.5", "b.jpg"}}));
  EXPECT_THAT(read_table(path, kColumns).at(0).fields, ElementsAre("b.jpg", "2.5"));
}

TEST(ReadTable, AMatlabFileIsRefusedWithAdvice) {
  EXPECT_THAT(
      error_of([&] { static_cast<void>(read_table(text_file("MATLAB 7.3 MAT-file, Platform: GLNXA64\n"), kColumns)); }),
      HasSubstr("export the list as CSV"));
}

// Separators as in the authors' lists: MANIQA's KonIQ list has tabs, its PIPAL list comma and blank, CSIQ's a blank.
TEST(ReadWords, TakesEverySeparator) {
  const auto rows = read_words(text_file("\xEF\xBB\xBF"
                                         "a.jpg\t3.5\r\n\n b.bmp, 1238.73 \nc.png 0.5\nd,4"),
                               2);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_THAT(rows[0].fields, ElementsAre("a.jpg", "3.5"));
  EXPECT_THAT(rows[1].fields, ElementsAre("b.bmp", "1238.73"));
  EXPECT_EQ(rows[1].line, 3);
  EXPECT_THAT(rows[2].fields, ElementsAre("c.png", "0.5"));
  EXPECT_THAT(rows[3].fields, ElementsAre("d", "4"));
}

TEST(ReadWords, AnotherNumberOfWordsIsAnError) {
  for (const std::string line : {"a.jpg", "a.jpg 1 2", "a.jpg,,1", "a.jpg,1,"}) {
    EXPECT_THAT(error_of([&] { static_cast<void>(read_words(text_file("x 1\n" + line + "\n"), 2)); }),
                HasSubstr("list.txt:2: "))
        << line;
  }
  EXPECT_THAT(error_of([&] { static_cast<void>(read_words(text_file("\n"), 2)); }), HasSubstr("no lines"));
  EXPECT_THAT(error_of([&] { static_cast<void>(read_words(text_file("\xFF\xFE 1\n"), 2)); }), HasSubstr("UTF-8"));
}

}  // namespace
}  // namespace steadyiqa::data
