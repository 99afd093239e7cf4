#include "stats/bootstrap.h"

#include "base/error.h"
#include "base/seed.h"
#include "stats/robustness.h"

#include <cmath>
#include <vector>

namespace steadyiqa::stats {

Interval bootstrap(std::size_t items, const Measure& measure, const BootstrapOptions& options) {
  if (items == 0 || options.resamples < 2 || !(options.confidence > 0 && options.confidence < 1)) {
    fail_usage("bootstrap of {} items, {} resamples, confidence {}: needs an item, 2 resamples, a confidence in (0,1)",
               items, options.resamples, options.confidence);
  }
  std::vector<std::size_t> picks(items);
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(options.resamples));
  for (std::int64_t r = 0; r < options.resamples; ++r) {
    Rng rng(derive_seed(options.seed, "bootstrap", static_cast<std::uint64_t>(r)));
    for (auto& pick : picks) {
      pick = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(items)));
    }
    if (const double value = measure(picks); !std::isnan(value)) {
      values.push_back(value);
    }
  }
  if (2 * static_cast<std::int64_t>(values.size()) < options.resamples) {
    return {std::nan(""), std::nan("")};
  }
  const double tail = 50.0 * (1.0 - options.confidence);
  return {percentile(values, tail), percentile(values, 100.0 - tail)};
}

}  // namespace steadyiqa::stats
