#include "data/dataset.h"

#include "data_test_support.h"

namespace steadyiqa::data {
namespace {

Dataset read_text(const std::string& text) { return read_manifest(write_text(scratch_folder() / "set.csv", text)); }

/// The error of a manifest with this text; it must be one line that begins with the file and this line number.
std::string manifest_error(const std::string& text, int line) {
  const std::string message = error_of([&] { static_cast<void>(read_text(text)); });
  EXPECT_NE(message.find(fmt::format("set.csv:{}: ", line)), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

TEST(Manifest, ReadsAllColumnsInAnyOrder) {
  const auto folder = scratch_folder();
  const Dataset dataset = read_manifest(write_text(folder / "set.csv",
                                                   "mos,set,image,std,reference\n"
                                                   "12.5,train,sub/a.png,3.25,scene-1\n"
                                                   "100,,b.png,,\n"));
  EXPECT_EQ(dataset.name, "set");
  EXPECT_EQ(dataset.scale.min, 0);
  EXPECT_EQ(dataset.scale.max, 100);
  ASSERT_EQ(dataset.samples.size(), 2U);
  EXPECT_EQ(dataset.samples[0].name, "sub/a.png");
  EXPECT_EQ(dataset.samples[0].path, folder / "sub/a.png");
  EXPECT_EQ(dataset.samples[0].mos, 12.5);
  EXPECT_EQ(dataset.samples[0].std, 3.25);
  EXPECT_EQ(dataset.samples[0].reference, "scene-1");
  EXPECT_EQ(dataset.samples[0].set, "train");
  EXPECT_EQ(dataset.samples[1].mos, 100);
  EXPECT_EQ(dataset.samples[1].std, std::nullopt);
  EXPECT_EQ(dataset.samples[1].reference, "");
  EXPECT_EQ(dataset.samples[1].set, "");
}

TEST(Manifest, ByteOrderMarkCrlfBlankLinesAndQuotes) {
  const Dataset dataset = read_text(
      "\xEF\xBB\xBFimage,mos\r\n\r\n\"a,b.png\", 1\r\n   \r\n\"say \"\"x\"\".png\",2e1\r\nbl\xC3\xA4tt.png,3");
  ASSERT_EQ(dataset.samples.size(), 3U);
  EXPECT_EQ(dataset.samples[0].name, "a,b.png");
  EXPECT_EQ(dataset.samples[1].name, "say \"x\".png");
  EXPECT_EQ(dataset.samples[1].mos, 20);
  EXPECT_EQ(dataset.samples[2].name, "bl\xC3\xA4tt.png");
}

TEST(Manifest, WrongLabelsNameTheLine) {
  for (const std::string bad : {"nan", "inf", "-inf", "1e999", "good", "", "12,5", "-0.001", "100.5"}) {
    manifest_error(fmt::format("image,mos\na.png,1\n\nb.png,\"{}\"\n", bad), 4);
  }
}

TEST(Manifest, WrongStd) {
  EXPECT_NE(manifest_error("image,mos,std\na.png,1,-1\n", 2).find("std -1"), std::string::npos);
  EXPECT_NE(manifest_error("image,mos,std\na.png,1,nan\n", 2).find("std 'nan'"), std::string::npos);
}

TEST(Manifest, RepeatedImageNamesBothLines) {
  const std::string message = manifest_error("image,mos\na.png,1\nb.png,2\na.png,3\n", 4);
  EXPECT_NE(message.find("'a.png' stands already at"), std::string::npos) << message;
}

TEST(Manifest, UnknownColumnNamesTheNearest) {
  const std::string message = manifest_error("image,moss\na.png,1\n", 1);
  EXPECT_NE(message.find("unknown column 'moss'"), std::string::npos) << message;
  EXPECT_NE(message.find("'mos'"), std::string::npos) << message;
}

TEST(Manifest, HeaderMustBeWhole) {
  EXPECT_NE(manifest_error("mos\n1\n", 1).find("no column 'image'"), std::string::npos);
  EXPECT_NE(manifest_error("image,mos,mos\na,1,2\n", 1).find("twice"), std::string::npos);
}

TEST(Manifest, RowsMustHaveTheHeadersWidth) {
  manifest_error("image,mos\na.png\n", 2);
  manifest_error("image,mos\na.png,1\nb.png,2,3\n", 3);
}

TEST(Manifest, BrokenText) {
  manifest_error("image,mos\n\"a.png,1\n", 2);
  manifest_error("image,mos\na\xFF.png,1\n", 2);
  manifest_error(std::string("image,mos\na\0.png,1\n", 19), 2);
  manifest_error("image,mos\n,1\n", 2);
  // "image" in UTF-16, as a spreadsheet may export it
  manifest_error(std::string("\xFF\xFEi\0m\0a\0g\0e\0", 12), 1);
}

TEST(Manifest, EmptyListIsAnError) {
  for (const std::string text : {"", "\n\n", "image,mos\n", "image,mos\r\n\r\n"}) {
    const std::string message = error_of([&] { static_cast<void>(read_text(text)); });
    EXPECT_NE(message.find("set.csv"), std::string::npos) << message;
  }
}

TEST(Manifest, MissingFileIsNamed) {
  const auto path = scratch_folder() / "none.csv";
  EXPECT_NE(error_of([&] { static_cast<void>(read_manifest(path)); }).find(path.string()), std::string::npos);
}

}  // namespace
}  // namespace steadyiqa::data
