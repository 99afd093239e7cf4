#include "base/numpy_random.h"

#include "base/error.h"

#include <bit>

namespace steadyiqa {

std::int64_t NumpyRandom::randint(std::int64_t low, std::int64_t high) {
  STEADYIQA_ASSERT(low < high && high - low <= (std::int64_t{1} << 32), "randint: empty or too large a range");
  const auto largest = static_cast<std::uint64_t>(high - low - 1);
  if (largest == 0) {
    return low;
  }
  const std::uint64_t mask = (std::uint64_t{1} << static_cast<unsigned>(std::bit_width(largest))) - 1;
  std::uint64_t draw = engine_() & mask;
  while (draw > largest) {
    draw = engine_() & mask;
  }
  return low + static_cast<std::int64_t>(draw);
}

}  // namespace steadyiqa
