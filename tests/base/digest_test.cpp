#include "base/digest.h"

#include "base/expect_error.h"
#include "base/file.h"
#include "base/temp_folder.h"

#include <gmock/gmock.h>

namespace steadyiqa {
namespace {

// FIPS 180-2 appendix B.
constexpr auto kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr auto kMillionA = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
constexpr auto kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

using DigestTest = testing::TempFolder;

TEST_F(DigestTest, MatchesTheKnownVectors) {
  EXPECT_EQ(sha256_hex(""), kEmpty);
  EXPECT_EQ(sha256_hex("abc"), kAbc);
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')), kMillionA);
}

TEST_F(DigestTest, ItsFirstBitsAreANumber) { EXPECT_EQ(digest_number("abc"), 0xba7816bf8f01cfeaU); }

TEST_F(DigestTest, OfAFileIsThatOfItsBytes) {
  write_file_atomic(folder() / "a", std::string(1000000, 'a'));
  EXPECT_EQ(sha256_file(folder() / "a"), kMillionA);
  write_file_atomic(folder() / "empty", "");
  EXPECT_EQ(sha256_file(folder() / "empty"), kEmpty);
}

TEST_F(DigestTest, OfAMissingFileOrAFolderIsAnInputErrorThatNamesIt) {
  EXPECT_THAT(testing::error_message(ErrorKind::kInput, [&] { (void)sha256_file(folder() / "none"); }),
              ::testing::HasSubstr("none"));
  (void)testing::error_message(ErrorKind::kInput, [&] { (void)sha256_file(folder()); });
}

}  // namespace
}  // namespace steadyiqa
