#include "base/error.h"

#include <gtest/gtest.h>

#include <csignal>

namespace steadyiqa {
namespace {

TEST(ErrorTest, MessageIsOneLineOfValidUtf8) {
  EXPECT_STREQ(Error(ErrorKind::kInput, "a\nb\r\tc\x1b[31m").what(), "a?b??c?[31m");
  EXPECT_STREQ(Error(ErrorKind::kInput, "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80").what(), "café € 😀");
  EXPECT_STREQ(Error(ErrorKind::kInput, "\xFF|\xC3|\xC0\xAF|\xED\xA0\x80|\xC2\x9B").what(), "?|?|??|???|?");
}

TEST(ErrorTest, ExitCodeIsTheKind) {
  EXPECT_EQ(Error(ErrorKind::kUsage, "").exit_code(), 1);
  EXPECT_EQ(Error(ErrorKind::kInterrupted, "").exit_code(), 130);
}

TEST(ResultTest, HoldsAValueOrThrowsItsFailure) {
  const Result<int> good(3);
  EXPECT_TRUE(good.has_value());
  EXPECT_EQ(good.value(), 3);
  const Result<int> bad(Failure{"no pixels"});
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error(), "no pixels");
  EXPECT_THROW((void)bad.value(), Error);
}

TEST(AssertionDeathTest, NamesConditionAndMessageThenAborts) {
  EXPECT_EXIT(STEADYIQA_ASSERT(1 == 2, "numbers differ"), ::testing::KilledBySignal(SIGABRT), "1 == 2.*numbers differ");
}

}  // namespace
}  // namespace steadyiqa
