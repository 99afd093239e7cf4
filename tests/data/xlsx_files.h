// .xlsx files as the tests need them: a zip of XML parts, as Excel lays them out.
#pragma once

#include "data/data_test_support.h"

#include <zip.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace steadyiqa::data {

using Parts = std::map<std::string, std::string>;

inline std::filesystem::path write_zip(const std::filesystem::path& path, const Parts& parts) {
  std::filesystem::create_directories(path.parent_path());
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  EXPECT_NE(archive, nullptr);
  for (const auto& [name, text] : parts) {
    zip_file_add(archive, name.c_str(), zip_source_buffer(archive, text.data(), text.size(), 0), ZIP_FL_ENC_UTF_8);
  }
  EXPECT_EQ(zip_close(archive), 0);
  return path;
}

/// A workbook whose first sheet, of two, has this sheetData; "shared" are its shared strings (si elements).
inline Parts workbook(const std::string& sheet_data, const std::string& shared = "") {
  const std::string head = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
  const std::string main = "xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"";
  return {
      {"[Content_Types].xml", head + "<Types/>"},
      {"xl/workbook.xml", head + "<workbook " + main +
                              "><sheets><sheet name=\"A\" sheetId=\"7\" r:id=\"rId9\"/>"
                              "<sheet name=\"B\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"},
      {"xl/_rels/workbook.xml.rels",
       head + "<Relationships><Relationship Id=\"rId1\" Target=\"worksheets/sheet1.xml\"/>"
              "<Relationship Id=\"rId9\" Target=\"worksheets/sheet2.xml\"/></Relationships>"},
      {"xl/sharedStrings.xml", head + "<sst " + main + ">" + shared + "</sst>"},
      {"xl/worksheets/sheet1.xml", head + "<worksheet><sheetData><row><c><v>99</v></c></row></sheetData></worksheet>"},
      {"xl/worksheets/sheet2.xml",
       head + "<worksheet " + main + "><sheetData>" + sheet_data + "</sheetData></worksheet>"}};
}

/// Rows of cells: numbers where a cell begins with a digit, shared strings otherwise.
inline Parts workbook_of(const std::vector<std::vector<std::string>>& rows) {
  std::string data;
  std::string shared;
  int strings = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    data += fmt::format("<row r=\"{}\">", r + 1);
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const std::string& cell = rows[r][c];
      const std::string at = fmt::format("{}{}", static_cast<char>('A' + c), r + 1);
      if (!cell.empty() && cell.find_first_not_of("0123456789.") == std::string::npos) {
        data += fmt::format("<c r=\"{}\"><v>{}</v></c>", at, cell);
      } else {
        data += fmt::format("<c r=\"{}\" t=\"s\"><v>{}</v></c>", at, strings++);
        shared += fmt::format("<si><t>{}</t></si>", cell);
      }
    }
    data += "</row>";
  }
  return workbook(data, shared);
}

}  // namespace steadyiqa::data
