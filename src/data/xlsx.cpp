#include "data/xlsx.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <zip.h>
#include <pugixml.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace steadyiqa::data {
namespace {

constexpr std::uint64_t kMaxFileBytes = 8ULL << 20U;
constexpr std::size_t kMaxSheetBytes = 24ULL << 20U;
constexpr std::size_t kMaxSharedTextBytes = 64ULL << 20U;  // one shared string may stand in many cells
constexpr std::size_t kMaxRows = 100'000;
constexpr std::size_t kMaxColumns = 64;
constexpr std::int64_t kMaxRowNumber = 1LL << 20U;  // the format's own

struct DiscardArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

/// The parts of a zip file; counts what they unpack to.
class Archive {
 public:
  explicit Archive(const std::filesystem::path& path) : name_(path.string()), bytes_(read_file(path, kMaxFileBytes)) {
    zip_source_t* source = zip_source_buffer_create(bytes_.data(), bytes_.size(), 0, nullptr);
    if (source == nullptr) {
      fail_input("{}: out of memory", name_);
    }
    archive_.reset(zip_open_from_source(source, ZIP_RDONLY, nullptr));
    if (!archive_) {
      zip_source_free(source);
      fail_input("{}: a damaged zip file", name_);
    }
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool has(const std::string& part) const {
    return zip_name_locate(archive_.get(), part.c_str(), ZIP_FL_NOCASE) >= 0;
  }

  /// A part as XML.
  void parse(const std::string& part, pugi::xml_document& document) {
    const std::string text = read(part);
    if (text.find("<!DOCTYPE") != std::string::npos) {
      fail_input("{}: {} declares a document type, which no sheet has", name_, part);
    }
    const unsigned options = pugi::parse_escapes | pugi::parse_cdata;
    const pugi::xml_parse_result result = document.load_buffer(text.data(), text.size(), options, pugi::encoding_utf8);
    if (!result) {
      fail_input("{}: {} is not XML in UTF-8: {} at byte {}", name_, part, result.description(), result.offset);
    }
  }

 private:
  std::string read(const std::string& part) {
    const zip_int64_t index = zip_name_locate(archive_.get(), part.c_str(), ZIP_FL_NOCASE);
    if (index < 0) {
      fail_input("{}: no part {}: not an .xlsx workbook", name_, part);
    }
    const std::unique_ptr<zip_file_t, CloseMember> member(
        zip_fopen_index(archive_.get(), static_cast<zip_uint64_t>(index), 0));
    if (!member) {
      fail_input("{}: cannot unpack {}: {}", name_, part, zip_strerror(archive_.get()));
    }
    std::string text;
    zip_int64_t count = 0;
    do {
      const std::size_t done = text.size();
      text.resize(done + (1U << 16U));
      count = zip_fread(member.get(), text.data() + done, 1U << 16U);
      text.resize(done + static_cast<std::size_t>(std::max<zip_int64_t>(count, 0)));
      if (total_ + text.size() > kMaxSheetBytes) {
        fail_input("{}: unpacks to more than {} bytes", name_, kMaxSheetBytes);
      }
    } while (count > 0);
    if (count < 0) {  // the checksum is compared at the end, too
      fail_input("{}: {} is damaged", name_, part);
    }
    total_ += text.size();
    return text;
  }

  std::string name_;
  std::vector<std::byte> bytes_;  // outlives archive_
  std::unique_ptr<zip_t, DiscardArchive> archive_;
  std::size_t total_ = 0;
};

/// A string item's text: one run, or several of rich text. Phonetic guides (rPh) are not part of it.
std::string text_of(const pugi::xml_node& item) {
  std::string text = item.child("t").text().get();
  for (const pugi::xml_node run : item.children("r")) {
    text += run.child("t").text().get();
  }
  return text;
}

/// Column of a cell reference such as "AB12", from 0, or nothing.
std::optional<std::size_t> column_of(std::string_view reference) {
  std::size_t column = 0;
  std::size_t letters = 0;
  for (; letters < reference.size() && reference[letters] >= 'A' && reference[letters] <= 'Z'; ++letters) {
    column = std::min<std::size_t>(column * 26 + static_cast<std::size_t>(reference[letters] - 'A') + 1, 1U << 20U);
  }
  return letters == 0 ? std::nullopt : std::optional(column - 1);
}

class SheetReader {
 public:
  SheetReader(std::string name, std::vector<std::string> shared) : name_(std::move(name)), shared_(std::move(shared)) {}

  std::vector<TableRow> read(const pugi::xml_document& document) {
    const pugi::xml_node data = document.child("worksheet").child("sheetData");
    if (!data) {
      fail_input("{}: its first sheet holds no cells", name_);
    }
    std::int64_t number = 0;
    for (const pugi::xml_node row : data.children("row")) {
      number = row.attribute("r").as_llong(number + 1);
      if (number < 1 || number > kMaxRowNumber) {
        fail_input("{}: row number {}", name_, number);
      }
      TableRow cells = read_row(row, number);
      if (!cells.fields.empty()) {
        rows_.push_back(std::move(cells));
      }
      if (rows_.size() > kMaxRows) {
        fail_input("{}: more than {} rows", name_, kMaxRows);
      }
    }
    for (TableRow& row : rows_) {
      row.fields.resize(width_);
    }
    return std::move(rows_);
  }

 private:
  TableRow read_row(const pugi::xml_node& row, std::int64_t number) {
    TableRow cells{number, {}};
    std::size_t next = 0;
    for (const pugi::xml_node cell : row.children("c")) {
      const std::size_t column = column_of(cell.attribute("r").value()).value_or(next);
      next = column + 1;
      std::string value = value_of(cell, number);
      if (trim(value).empty()) {
        continue;
      }
      if (column >= kMaxColumns) {
        fail_input("{}:{}: a value in column {}, more than {}", name_, number, column + 1, kMaxColumns);
      }
      text_bytes_ += value.size();
      if (text_bytes_ > kMaxSharedTextBytes) {
        fail_input("{}:{}: more than {} bytes of text", name_, number, kMaxSharedTextBytes);
      }
      cells.fields.resize(std::max(cells.fields.size(), column + 1));
      cells.fields[column] = std::move(value);
    }
    width_ = std::max(width_, cells.fields.size());
    return cells;
  }

  [[nodiscard]] std::string value_of(const pugi::xml_node& cell, std::int64_t number) const {
    const std::string_view type = cell.attribute("t").value();
    if (type == "inlineStr") {
      return text_of(cell.child("is"));
    }
    std::string value = cell.child("v").text().get();
    if (type != "s") {
      return value;  // a number, a formula's text, a truth value, an error such as #N/A
    }
    const std::optional<double> index = parse_number(value);
    if (!index || !(*index >= 0 && *index < static_cast<double>(shared_.size()))) {
      fail_input("{}:{}: shared string '{}' of {}", name_, number, value, shared_.size());
    }
    return shared_[static_cast<std::size_t>(*index)];
  }

  std::string name_;
  std::vector<std::string> shared_;
  std::vector<TableRow> rows_;
  std::size_t width_ = 0;
  std::size_t text_bytes_ = 0;
};

/// The part that holds the workbook's first sheet.
std::string first_sheet(Archive& archive) {
  pugi::xml_document workbook;
  archive.parse("xl/workbook.xml", workbook);
  const pugi::xml_node sheet = workbook.child("workbook").child("sheets").child("sheet");
  pugi::xml_document relations;
  archive.parse("xl/_rels/workbook.xml.rels", relations);
  const pugi::xml_node relation =
      relations.child("Relationships").find_child_by_attribute("Relationship", "Id", sheet.attribute("r:id").value());
  const std::string_view target = relation.attribute("Target").value();
  if (!sheet || target.empty()) {
    fail_input("{}: its workbook names no sheet", archive.name());
  }
  return target.starts_with('/') ? std::string(target.substr(1)) : fmt::format("xl/{}", target);
}

std::vector<std::string> shared_strings(Archive& archive) {
  std::vector<std::string> strings;
  const std::string part = "xl/sharedStrings.xml";
  if (archive.has(part)) {
    pugi::xml_document document;
    archive.parse(part, document);
    for (const pugi::xml_node item : document.child("sst").children("si")) {
      strings.push_back(text_of(item));
    }
  }
  return strings;
}

}  // namespace

std::vector<TableRow> read_xlsx(const std::filesystem::path& path) {
  Archive archive(path);
  SheetReader reader(path.string(), shared_strings(archive));
  pugi::xml_document sheet;
  archive.parse(first_sheet(archive), sheet);
  return reader.read(sheet);
}

}  // namespace steadyiqa::data
