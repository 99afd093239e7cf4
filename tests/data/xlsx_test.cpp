#include "data/xlsx.h"

#include "base/file.h"
#include "xlsx_files.h"

#include <gmock/gmock.h>

namespace steadyiqa::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::filesystem::path write_book(const Parts& parts) { return write_zip(scratch_folder() / "book.xlsx", parts); }

std::string book_error(const Parts& parts) {
  const auto path = write_book(parts);
  const std::string message = error_of([&] { static_cast<void>(read_xlsx(path)); });
  EXPECT_THAT(message, HasSubstr(path.string()));
  return message;
}

/// The rows of a sheet with this sheetData.
std::vector<TableRow> rows_of(const std::string& sheet_data, const std::string& shared = "") {
  return read_xlsx(write_book(workbook(sheet_data, shared)));
}

TEST(Xlsx, EveryKindOfCellOfTheFirstSheet) {
  const auto rows = rows_of(
      R"(<row r="1"><c r="A1" t="s"><v>1</v></c><c r="B1" t="s"><v>0</v></c></row>)"
      R"(<row r="3"><c r="A3" t="inlineStr"><is><t>in &amp; line</t></is></c><c r="B3"><f>1+1</f><v>2</v></c></row>)"
      R"(<row r="4"><c r="B4" t="str"><v>text</v></c><c r="C4" t="e"><v>#N/A</v></c><c r="D4"/></row>)"
      R"(<row r="5"><c r="A5" s="3"/></row><row><c><v>7.25</v></c><c t="b"><v>1</v></c></row>)",
      R"(<si><r><t>rich </t></r><r><t>text</t></r><rPh><t>no</t></rPh></si><si><t>plain</t></si>)");
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_THAT(rows[0].fields, ElementsAre("plain", "rich text", ""));
  EXPECT_EQ(rows[1].line, 3);
  EXPECT_THAT(rows[1].fields, ElementsAre("in & line", "2", ""));
  EXPECT_THAT(rows[2].fields, ElementsAre("", "text", "#N/A"));
  EXPECT_EQ(rows[3].line, 6);
  EXPECT_THAT(rows[3].fields, ElementsAre("7.25", "1", ""));
}

TEST(Xlsx, AbsoluteTargetsAreFound) {
  Parts parts = workbook_of({{"a", "1"}});
  parts["xl/_rels/workbook.xml.rels"] =
      R"(<Relationships><Relationship Id="rId9" Target="/xl/worksheets/sheet2.xml"/></Relationships>)";
  EXPECT_THAT(read_xlsx(write_book(parts)).at(0).fields, ElementsAre("a", "1"));
}

TEST(Xlsx, MissingPartsAreNamed) {
  for (const std::string part : {"xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet2.xml"}) {
    Parts parts = workbook_of({{"a"}});
    parts.erase(part);
    EXPECT_THAT(book_error(parts), HasSubstr(part));
  }
  Parts parts = workbook_of({{"a"}});
  parts["xl/workbook.xml"] = "<workbook/>";
  EXPECT_THAT(book_error(parts), HasSubstr("names no sheet"));
}

TEST(Xlsx, WhatIsNoWorkbookIsRefused) {
  const auto folder = scratch_folder();
  for (const std::string& text : {std::string(), std::string("a,b\n"), std::string("PK\x03\x04").append(100, 'x')}) {
    const auto path = write_text(folder / "book.xlsx", text);
    // libzip takes an empty file for a zip file of no parts.
    EXPECT_THAT(error_of([&] { static_cast<void>(read_xlsx(path)); }),
                HasSubstr(text.empty() ? "not an .xlsx workbook" : "damaged zip file"));
  }
}

TEST(Xlsx, TruncatedFilesAreErrors) {
  const auto path = write_book(workbook_of({{"name", "score"}, {"a.jpg", "1.5"}}));
  for (auto kept = std::filesystem::file_size(path) - 1; kept > 10; kept -= 7) {
    std::filesystem::resize_file(path, kept);
    EXPECT_THAT(error_of([&] { static_cast<void>(read_xlsx(path)); }), HasSubstr(path.string())) << kept;
  }
}

// Each byte of a part is under its checksum.
TEST(Xlsx, FlippedBytesNeverPassAsOtherData) {
  const auto path = write_book(workbook_of({{"name", "score"}, {"a.jpg", "1.5"}}));
  const auto good = read_xlsx(path);
  const std::string bytes = read_text_file(path);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    write_text(path, flipped);
    try {
      const auto rows = read_xlsx(path);
      ASSERT_EQ(rows.size(), good.size()) << i;
      EXPECT_EQ(rows[1].fields, good[1].fields) << i;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput) << i;
    }
  }
}

TEST(Xlsx, AZipBombIsRefused) {
  Parts parts = workbook_of({{"a"}});
  parts["xl/sharedStrings.xml"] = std::string("<sst>").append(30U << 20U, ' ').append("</sst>");
  EXPECT_THAT(book_error(parts), HasSubstr("unpacks to more than 25165824 bytes"));
}

TEST(Xlsx, ASharedStringInManyCellsIsBounded) {
  std::string row = "<row>";
  for (int i = 0; i < 70; ++i) {
    row += R"(<c r="A1" t="s"><v>0</v></c>)";
  }
  EXPECT_THAT(book_error(workbook(row + "</row>", std::string("<si><t>").append(1U << 20U, 'x').append("</t></si>"))),
              HasSubstr("more than 67108864 bytes of text"));
}

TEST(Xlsx, NoEntityIsExpanded) {
  Parts parts = workbook("<row><c t=\"str\"><v>&lol;</v></c></row>");
  EXPECT_THAT(read_xlsx(write_book(parts)).at(0).fields, ElementsAre("&lol;"));
  parts["xl/worksheets/sheet2.xml"].insert(0, R"(<!DOCTYPE x [<!ENTITY lol "ha">]>)");
  EXPECT_THAT(book_error(parts), HasSubstr("declares a document type"));
}

TEST(Xlsx, RowsColumnsAndIndexesAreBounded) {
  EXPECT_THAT(book_error(workbook(R"(<row><c r="BM1"><v>1</v></c></row>)")), HasSubstr("column 65, more than 64"));
  EXPECT_THAT(book_error(workbook(R"(<row><c r="ZZZZZZZZ1"><v>1</v></c></row>)")), HasSubstr("more than 64"));
  EXPECT_THAT(book_error(workbook(R"(<row r="1048577"><c><v>1</v></c></row>)")), HasSubstr("row number 1048577"));
  EXPECT_THAT(book_error(workbook(R"(<row r="-1"><c><v>1</v></c></row>)")), HasSubstr("row number -1"));
  for (const std::string index : {"1", "-1", "nan", "x", "1e300"}) {
    EXPECT_THAT(book_error(workbook(R"(<row><c t="s"><v>)" + index + "</v></c></row>", "<si><t>a</t></si>")),
                HasSubstr("shared string '" + index + "' of 1"));
  }
  std::string rows;
  for (int i = 0; i <= 100'000; ++i) {
    rows += "<row><c><v>1</v></c></row>";
  }
  EXPECT_THAT(book_error(workbook(rows)), HasSubstr("more than 100000 rows"));
}

TEST(Xlsx, BrokenXmlSaysWhere) {
  EXPECT_THAT(book_error(workbook("<row><c></row>")), HasSubstr("xl/worksheets/sheet2.xml is not XML in UTF-8"));
  Parts parts = workbook_of({{"a"}});
  parts["xl/worksheets/sheet2.xml"] = "<worksheet/>";
  EXPECT_THAT(book_error(parts), HasSubstr("holds no cells"));
}

}  // namespace
}  // namespace steadyiqa::data
