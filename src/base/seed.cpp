#include "base/seed.h"

#include "base/error.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace steadyiqa {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;  // SplitMix64's increment

/// The finaliser of SplitMix64.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

/// 64-bit FNV-1a.
std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return hash;
}

}  // namespace

std::uint64_t derive_seed(std::uint64_t run, std::string_view purpose, std::uint64_t a, std::uint64_t b) {
  std::uint64_t hash = mix(run + kGolden);
  for (const std::uint64_t part : {fnv1a(purpose), a, b}) {
    hash = mix((hash ^ part) + kGolden);
  }
  return hash;
}

std::uint64_t Rng::next() {
  state_ += kGolden;
  return mix(state_);
}

double Rng::uniform() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

double Rng::uniform(double low, double high) {
  const double value = low + (high - low) * uniform();
  // Rounding may land on the open end.
  return value < high ? value : std::fmax(low, std::nextafter(high, -std::numeric_limits<double>::infinity()));
}

std::int64_t Rng::below(std::int64_t n) {
  STEADYIQA_ASSERT(n >= 1, "below(n) needs n >= 1");
  const auto count = static_cast<std::uint64_t>(n);
  const std::uint64_t rejected = (0 - count) % count;  // 2^64 mod n: the draws that would favour small results
  std::uint64_t draw = next();
  while (draw < rejected) {
    draw = next();
  }
  return static_cast<std::int64_t>(draw % count);
}

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 - u is in (0, 1]
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace steadyiqa
