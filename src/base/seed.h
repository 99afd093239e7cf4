// Randomness by purpose and index, so that batch size, threads and processes never change a result.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace steadyiqa {

/// The seed of one random decision: a hash of the run's seed, what the decision is for, and its indices.
/// Example: derive_seed(run, "crop", epoch, image_index).
[[nodiscard]] std::uint64_t derive_seed(std::uint64_t run, std::string_view purpose, std::uint64_t a = 0,
                                        std::uint64_t b = 0);

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, the same sequence on every machine.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}
  /// The next 64 random bits.
  std::uint64_t next();
  /// Uniform in [0, 1).
  double uniform();
  /// Uniform in [low, high).
  double uniform(double low, double high);
  /// Uniform integer in [0, n); n >= 1. Unbiased (rejection).
  std::int64_t below(std::int64_t n);
  /// Standard normal (Box-Muller; two draws of next() each).
  double normal();

 private:
  std::uint64_t state_;
};

/// In-place Fisher-Yates shuffle of any indexable container.
template <class Container>
void shuffle(Container& items, Rng& rng) {
  for (std::int64_t i = static_cast<std::int64_t>(items.size()) - 1; i > 0; --i) {
    using std::swap;
    swap(items[static_cast<std::size_t>(i)], items[static_cast<std::size_t>(rng.below(i + 1))]);
  }
}

}  // namespace steadyiqa
