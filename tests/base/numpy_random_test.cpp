#include "base/numpy_random.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace steadyiqa {
namespace {

// All values: numpy 1.24.2, numpy.random.seed(s) and then the calls named.

TEST(NumpyRandom, DrawsNumpysIntegers) {
  NumpyRandom random(20);  // [numpy.random.randint(0, n) for n in (1, 2, 3, 7, 8, 9, 256, 257, 1000, 2**31, 2**32)]
  std::vector<std::int64_t> drawn;
  for (const std::int64_t n : {1LL, 2LL, 3LL, 7LL, 8LL, 9LL, 256LL, 257LL, 1000LL, 1LL << 31, 1LL << 32}) {
    drawn.push_back(random.randint(0, n));
  }
  EXPECT_EQ(drawn, (std::vector<std::int64_t>{0, 1, 2, 4, 2, 4, 75, 71, 162, 1626422240, 2889935990}));
}

TEST(NumpyRandom, ARangeOfOneDrawsNothing) {
  NumpyRandom random(0);  // three times randint(0, 1), then randint(0, 100)
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(random.randint(0, 1), 0);
  }
  EXPECT_EQ(random.randint(0, 100), 44);
}

TEST(NumpyRandom, ShufflesAsNumpy) {
  NumpyRandom random(919);  // shuffle(list(range(12))), then randint(-5, 5)
  std::vector<int> items(12);
  std::iota(items.begin(), items.end(), 0);
  random.shuffle(items);
  EXPECT_EQ(items, (std::vector<int>{1, 7, 10, 8, 11, 4, 0, 6, 9, 3, 5, 2}));
  EXPECT_EQ(random.randint(-5, 5), 1);
}

TEST(NumpyRandomDeathTest, RefusesAnEmptyRange) {
  NumpyRandom random(1);
  EXPECT_DEATH(static_cast<void>(random.randint(3, 3)), "randint");
}

}  // namespace
}  // namespace steadyiqa
