#include "base/log.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <sstream>

namespace steadyiqa {
namespace {

using ::testing::HasSubstr;

class LogTest : public ::testing::Test {
 protected:
  void TearDown() override { set_progress_mode(ProgressMode::kAuto); }
  /// What `run` writes to stderr in the given mode.
  template <class Run>
  static std::string output(ProgressMode mode, Run run) {
    set_progress_mode(mode);
    ::testing::internal::CaptureStderr();
    run();
    return ::testing::internal::GetCapturedStderr();
  }
  static void work(int steps) {
    Progress progress("train", 10, "images");
    for (int i = 0; i < steps; ++i) {
      progress.advance(1, "loss 3.21");
    }
    progress.finish();
  }
};

TEST_F(LogTest, QuietHidesInfoAndProgressButNotWarnings) {
  EXPECT_EQ(output(ProgressMode::kQuiet, [] { log_info("hello {}", 1); }), "");
  EXPECT_EQ(output(ProgressMode::kQuiet, [] { work(10); }), "");
  EXPECT_THAT(output(ProgressMode::kQuiet, [] { log_warning("careful {}", 2); }), HasSubstr("careful 2"));
}

TEST_F(LogTest, MessagesAreOneLineEach) {
  EXPECT_EQ(output(ProgressMode::kAuto, [] { log_info("a\nwarning: forged {}", "\x1b[2J"); }),
            "info: a?warning: forged ?[2J\n");
}

TEST_F(LogTest, OffATerminalProgressIsSparseLines) {
  const std::string text = output(ProgressMode::kAuto, [] { work(10); });
  EXPECT_THAT(text, HasSubstr("train: 10/10 images"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST_F(LogTest, BarEndsItsLineOnce) {
  const std::string text = output(ProgressMode::kBar, [] { work(5); });
  EXPECT_THAT(text, HasSubstr("[############............] 5/10 images"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
  EXPECT_TRUE(text.ends_with('\n'));
}

TEST_F(LogTest, JsonIsOneObjectPerLineFirstAndLast) {
  std::istringstream lines(output(ProgressMode::kJson, [] {
    work(10);
    log_info("note \xFF");
  }));
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);) {
    objects.push_back(nlohmann::json::parse(line));
  }
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(objects[0]["done"], 1);
  EXPECT_EQ(objects[0]["note"], "loss 3.21");
  EXPECT_EQ(objects[1]["done"], 10);
  EXPECT_EQ(objects[1]["total"], 10);
  EXPECT_EQ(objects[1]["finished"], true);
  EXPECT_EQ(objects[2]["message"], "note ?");
}

TEST_F(LogTest, UnknownTotalHasNoTimeLeft) {
  const std::string text = output(ProgressMode::kJson, [] { Progress("scan", 0).advance(3); });
  EXPECT_EQ(nlohmann::json::parse(text.substr(0, text.find('\n')))["seconds_left"], nullptr);
}

TEST(InterruptDeathTest, FirstSignalSetsTheFlagSecondEnds) {
  EXPECT_EXIT(
      {
        install_interrupt_handler();
        if (interrupted()) {
          std::exit(1);
        }
        std::raise(SIGINT);
        if (!interrupted()) {
          std::exit(2);
        }
        std::raise(SIGTERM);
        std::exit(3);
      },
      ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace steadyiqa
