#include "base/file.h"

#include "base/expect_error.h"
#include "base/temp_folder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>

namespace steadyiqa {
namespace {

using FileTest = testing::TempFolder;
using testing::error_message;
using ::testing::HasSubstr;

std::size_t entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

TEST_F(FileTest, AtomicWriteReplacesContentAndLeavesNothingElse) {
  const auto path = folder() / "deep" / "er" / "file.bin";
  write_file_atomic(path, "a first and longer content");
  write_file_atomic(path, std::string_view("b\0c", 3));
  EXPECT_EQ(read_text_file(path), std::string("b\0c", 3));
  EXPECT_EQ(entries(path.parent_path()), 1U);
}

TEST_F(FileTest, FailedWriteKeepsTheOldThingAndLeavesNoTemporaryFile) {
  std::filesystem::create_directories(folder() / "target" / "child");
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { write_file_atomic(folder() / "target", "x"); }),
              HasSubstr("target"));
  EXPECT_EQ(entries(folder()), 1U);
  EXPECT_TRUE(std::filesystem::exists(folder() / "target" / "child"));
}

TEST_F(FileTest, WriteBelowAFileIsAnInputError) {
  write_file_atomic(folder() / "file", "x");
  (void)error_message(ErrorKind::kInput, [&] { write_file_atomic(folder() / "file" / "below", "y"); });
}

TEST_F(FileTest, ReadGivesEveryByte) {
  std::string content;
  for (int i = 0; i < 70000; ++i) {
    content += static_cast<char>(i * 7);
  }
  std::ofstream(folder() / "f", std::ios::binary) << content;
  const auto bytes = read_file(folder() / "f");
  ASSERT_EQ(bytes.size(), content.size());
  EXPECT_EQ(std::memcmp(bytes.data(), content.data(), content.size()), 0);
}

TEST_F(FileTest, ReadRefusesWhatIsMissingTooLargeOrNoFile) {
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { (void)read_file(folder() / "none"); }), HasSubstr("none"));
  write_file_atomic(folder() / "ten", "0123456789");
  EXPECT_EQ(read_file(folder() / "ten", 10).size(), 10U);
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { (void)read_file(folder() / "ten", 9); }), HasSubstr("limit of 9"));
  (void)error_message(ErrorKind::kInput, [&] { (void)read_file(folder()); });
  ASSERT_EQ(mkfifo((folder() / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { (void)read_file(folder() / "pipe"); }), HasSubstr("regular"));
}

TEST_F(FileTest, PartsOfAFileAreReadOrAnError) {
  write_file_atomic(folder() / "f", std::string_view("0123456789"));
  const RandomAccessFile file(folder() / "f");
  EXPECT_EQ(file.size(), 10U);
  std::string part(4, ' ');
  const auto into = std::as_writable_bytes(std::span(part));
  file.read(6, into);
  EXPECT_EQ(part, "6789");
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { file.read(7, into); }), HasSubstr("ends too early"));
  EXPECT_THAT(error_message(ErrorKind::kInput, [&] { RandomAccessFile absent(folder() / "none"); }), HasSubstr("none"));
}

TEST_F(FileTest, AppendAddsWholeLines) {
  const auto path = folder() / "logs" / "run.jsonl";
  append_line(path, "one");
  append_line(path, "two");
  EXPECT_EQ(read_text_file(path), "one\ntwo\n");
}

TEST_F(FileTest, AppendDoesNotContinueALineThatWasCutShort) {
  write_file_atomic(folder() / "log", "one\n{\"cut\":");
  append_line(folder() / "log", "two");
  EXPECT_EQ(read_text_file(folder() / "log"), "one\n{\"cut\":\ntwo\n");
}

}  // namespace
}  // namespace steadyiqa
