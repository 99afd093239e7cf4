// numpy's legacy random numbers (numpy.random.seed, randint, shuffle), for what published code drew with them.
#pragma once

#include <cstdint>
#include <random>
#include <utility>

namespace steadyiqa {

/// numpy.random.RandomState(seed): MT19937 and rejection under a mask (numpy/random/mtrand; checked against
/// numpy 1.24). Our own choices use Rng.
class NumpyRandom {
 public:
  explicit NumpyRandom(std::uint32_t seed) : engine_(seed) {}
  /// numpy.random.randint(low, high): uniform in [low, high), high exclusive. 1 <= high - low <= 2^32; a range of one
  /// value draws nothing.
  std::int64_t randint(std::int64_t low, std::int64_t high);
  /// numpy.random.shuffle of a list.
  template <class Container>
  void shuffle(Container& items) {
    for (std::int64_t i = static_cast<std::int64_t>(items.size()) - 1; i > 0; --i) {
      using std::swap;
      swap(items[static_cast<std::size_t>(i)], items[static_cast<std::size_t>(randint(0, i + 1))]);
    }
  }

 private:
  std::mt19937 engine_;
};

}  // namespace steadyiqa
