#include "stats/soft_rank.h"

#include "base/error.h"
#include "base/seed.h"
#include "stats/check.h"
#include "stats/correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace steadyiqa::stats {
namespace {

/// Means of the blocks of the isotonic regression (not rising) of `y`, at each place; `block` receives each place's
/// first one. Pool adjacent violators.
std::vector<double> isotonic(const std::vector<double>& y, std::vector<std::size_t>& block) {
  struct Pool {
    double sum;
    std::size_t first, count;
    [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Pool> pools;
  for (std::size_t i = 0; i < y.size(); ++i) {
    pools.push_back({y[i], i, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() <= pools.back().mean()) {
      pools[pools.size() - 2].sum += pools.back().sum;
      pools[pools.size() - 2].count += pools.back().count;
      pools.pop_back();
    }
  }
  std::vector<double> fitted(y.size());
  block.resize(y.size());
  for (const auto& pool : pools) {
    std::fill_n(fitted.begin() + static_cast<std::ptrdiff_t>(pool.first), pool.count, pool.mean());
    std::fill_n(block.begin() + static_cast<std::ptrdiff_t>(pool.first), pool.count, pool.first);
  }
  return fitted;
}

/// Pearson correlation of a with fixed b, and its gradient by a.
double correlation_and_gradient(const std::vector<double>& a, const std::vector<double>& b,
                                std::vector<double>& gradient) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  constexpr double kTiny = 1e-12;
  const double scale = std::sqrt(std::max(aa * bb, kTiny));
  gradient.resize(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    gradient[i] = ((b[i] - mean_b) - ab / std::max(aa, kTiny) * (a[i] - mean_a)) / scale;
  }
  return ab / scale;
}

}  // namespace

SoftRank::SoftRank(std::span<const double> values, double beta) : order_(values.size()), beta_(beta) {
  require_finite("soft ranks", values, 1);
  STEADYIQA_ASSERT(beta > 0, "soft ranks need beta > 0");
  std::iota(order_.begin(), order_.end(), 0);
  std::ranges::stable_sort(order_, [&](auto a, auto b) { return values[a] > values[b]; });
  const std::size_t n = values.size();
  std::vector<double> rest(n);
  for (std::size_t i = 0; i < n; ++i) {
    rest[i] = values[order_[i]] / beta - static_cast<double>(n - i);
  }
  const auto fitted = isotonic(rest, block_);
  ranks_.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    ranks_[order_[i]] = values[order_[i]] / beta - fitted[i];
  }
}

std::vector<double> SoftRank::backward(std::span<const double> by_ranks) const {
  const std::size_t n = order_.size();
  std::vector<double> gradient(n);
  for (std::size_t first = 0; first < n;) {
    std::size_t end = first;
    double sum = 0;
    for (; end < n && block_[end] == first; ++end) {
      sum += by_ranks[order_[end]];
    }
    const double mean = sum / static_cast<double>(end - first);
    for (std::size_t i = first; i < end; ++i) {
      gradient[order_[i]] = (by_ranks[order_[i]] - mean) / beta_;
    }
    first = end;
  }
  return gradient;
}

std::vector<double> decorrelated_targets(std::span<const double> scores, const RankTargets& options,
                                         unsigned long seed) {
  require_finite("rank targets", scores, 2);
  const auto n = static_cast<double>(scores.size());
  const auto clean_ranks = ranks(scores);
  const auto [low, high] = std::ranges::minmax(scores);
  const double beta = options.beta > 0 ? options.beta : std::max(1.0, 10 * (high - low) / n);
  std::vector<double> targets(scores.begin(), scores.end());
  Rng rng(derive_seed(seed, "rank targets"));
  constexpr double kNoise = 0.01;
  for (auto& target : targets) {
    target = std::clamp(target + kNoise * rng.normal(), 0.0, 100.0);
  }
  constexpr double kBeta1 = 0.9;
  constexpr double kBeta2 = 0.999;
  constexpr double kEps = 1e-8;
  std::vector<double> first(targets.size(), 0.0);
  std::vector<double> second(targets.size(), 0.0);
  std::vector<double> by_ranks;
  for (long step = 1; step <= options.steps; ++step) {
    const SoftRank soft(targets, beta);
    correlation_and_gradient(soft.ranks(), clean_ranks, by_ranks);
    auto gradient = soft.backward(by_ranks);
    const double mean = std::accumulate(targets.begin(), targets.end(), 0.0) / n;
    const double correct1 = 1 - std::pow(kBeta1, static_cast<double>(step));
    const double correct2 = 1 - std::pow(kBeta2, static_cast<double>(step));
    for (std::size_t i = 0; i < targets.size(); ++i) {
      gradient[i] -= 2 / n * (options.spread * (targets[i] - mean) + options.distance * (targets[i] - scores[i]));
      first[i] = kBeta1 * first[i] + (1 - kBeta1) * gradient[i];
      second[i] = kBeta2 * second[i] + (1 - kBeta2) * gradient[i] * gradient[i];
      const double move = first[i] / correct1 / (std::sqrt(second[i] / correct2) + kEps);
      targets[i] = std::clamp(targets[i] - options.learning_rate * move, 0.0, 100.0);
    }
  }
  return targets;
}

}  // namespace steadyiqa::stats
