#include "data/loader.h"

#include "data_test_support.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

namespace steadyiqa::data {
namespace {

using std::chrono::milliseconds;

TEST(Prefetcher, DeliversInOrderWhateverFinishesFirst) {
  Prefetcher<std::int64_t> prefetcher(
      40,
      [](std::int64_t i) {
        std::this_thread::sleep_for(milliseconds(i % 4 == 0 ? 4 : 0));
        return i * i;
      },
      4, 6);
  for (std::int64_t i = 0; i < 40; ++i) {
    EXPECT_EQ(prefetcher.next(), i * i);
  }
}

TEST(Prefetcher, MakesEachValueOnce) {
  std::vector<std::atomic<int>> made(30);
  Prefetcher<int> prefetcher(
      30, [&made](std::int64_t i) { return ++made[static_cast<std::size_t>(i)]; }, 4, 3);
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(prefetcher.next(), 1);
  }
}

TEST(Prefetcher, RunsAtMostAheadOfTheReader) {
  std::atomic<std::int64_t> started = 0;
  Prefetcher<std::int64_t> prefetcher(
      100,
      [&started](std::int64_t i) {
        ++started;
        return i;
      },
      4, 5);
  for (std::int64_t i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
    EXPECT_LE(started.load(), i + 5);
    EXPECT_EQ(prefetcher.next(), i);
  }
}

TEST(Prefetcher, WorksAheadWithoutBeingAsked) {
  std::mutex mutex;
  std::condition_variable all_made;
  int made = 0;
  Prefetcher<int> prefetcher(
      10,
      [&](std::int64_t) {
        const std::lock_guard lock(mutex);
        ++made;
        all_made.notify_one();
        return 0;
      },
      2, 4);
  std::unique_lock lock(mutex);
  EXPECT_TRUE(all_made.wait_for(lock, std::chrono::seconds(5), [&] { return made == 4; }));
}

TEST(Prefetcher, AnExceptionComesInItsTurn) {
  Prefetcher<std::int64_t> prefetcher(
      6,
      [](std::int64_t i) {
        if (i == 3) {
          fail_input("image {} is broken", i);
        }
        return i;
      },
      3, 6);
  for (std::int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(prefetcher.next(), i);
  }
  EXPECT_EQ(error_of([&] { prefetcher.next(); }), "image 3 is broken");
  EXPECT_EQ(prefetcher.next(), 4);
  EXPECT_EQ(prefetcher.next(), 5);
}

TEST(Prefetcher, StopsCleanlyBeforeTheEnd) {
  std::atomic<int> running = 0;
  std::atomic<int> started = 0;
  for (int taken = 0; taken < 4; ++taken) {
    Prefetcher<std::string> prefetcher(
        1'000'000,
        [&](std::int64_t i) {
          ++running;
          ++started;
          std::this_thread::sleep_for(milliseconds(1));
          --running;
          return std::to_string(i);
        },
        3, 4);
    for (int i = 0; i < taken; ++i) {
      EXPECT_EQ(prefetcher.next(), std::to_string(i));
    }
  }
  EXPECT_EQ(running.load(), 0);
  const int before = started.load();
  std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(started.load(), before);
}

TEST(Prefetcher, CarriesValuesThatOnlyMove) {
  Prefetcher<std::unique_ptr<int>> prefetcher(
      3, [](std::int64_t i) { return std::make_unique<int>(static_cast<int>(i)); }, 2, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(*prefetcher.next(), i);
  }
}

TEST(Prefetcher, EmptyListNeedsNoCall) {
  const Prefetcher<int> prefetcher(0, [](std::int64_t) { return 0; });
  SUCCEED();
}

TEST(PrefetcherDeathTest, OneCallTooManyIsAProgrammerError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Prefetcher<int> prefetcher(1, [](std::int64_t) { return 0; });
        prefetcher.next();
        prefetcher.next();
      },
      "more than count times");
}

}  // namespace
}  // namespace steadyiqa::data
