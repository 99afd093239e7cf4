// Searches that see scores only. Each item of a problem has its own, so that its result does not depend on the others;
// all of them go in step, so that one call of the model scores one candidate of each.
#pragma once

#include "attacks/catalogue.h"

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace steadyiqa::attacks {

/// One item of a problem, as its search sees it. Values are the problem's: more is better for the attack.
struct Item {
  const Problem& problem;
  std::int64_t index = 0;
  torch::Tensor clean;       ///< [3,H,W]
  PixelBox box;              ///< around it
  double clean_value = 0;    ///< the objective of the clean item
  double room = 0;           ///< how far it could rise, calibrated points
  std::int64_t queries = 0;  ///< scores that the search may still ask for

  [[nodiscard]] double epsilon() const { return problem.epsilon(); }
  [[nodiscard]] std::int64_t height() const { return clean.size(1); }
  [[nodiscard]] std::int64_t width() const { return clean.size(2); }
  /// This item's own randomness.
  [[nodiscard]] Rng rng(std::string_view purpose, std::uint64_t index_of_purpose = 0) const {
    return problem.rng(index, purpose, index_of_purpose);
  }
  [[nodiscard]] torch::Tensor project(const torch::Tensor& x) const { return box.project(x); }
  /// Whole grey levels within budget: what a victim that reads image files can be asked.
  [[nodiscard]] torch::Tensor round(const torch::Tensor& x) const { return box.round(x); }
};

/// The search of one item: it names pixels, is told their value, names the next.
class ItemSearch {
 public:
  ItemSearch() = default;
  virtual ~ItemSearch() = default;
  ItemSearch(const ItemSearch&) = delete;
  ItemSearch& operator=(const ItemSearch&) = delete;
  ItemSearch(ItemSearch&&) = delete;
  ItemSearch& operator=(ItemSearch&&) = delete;
  /// The next pixels to be scored, [3,H,W], within budget; undefined at the end of the search.
  [[nodiscard]] virtual torch::Tensor ask() = 0;
  virtual void tell(double value) = 0;
};

using MakeSearch = std::function<std::unique_ptr<ItemSearch>(const Item&)>;

/// Runs a search for each item with at most `queries` model calls, the clean items' included, or fewer where
/// Problem::calls_left says so. Returns [N,3,H,W], of each item the best pixels that were scored; the clean ones where
/// nothing was better. A victim of image files then judges the very image that it scored.
[[nodiscard]] torch::Tensor search_items(Problem& problem, std::int64_t queries, const MakeSearch& make);

/// The option that all of them have.
template <class O>
Field<O> queries_field() {
  return field("queries", &O::queries, {.help = "most model calls, judging not counted", .min = 1, .max = 1e9});
}

/// The attack that runs a Search for each item: constructed from (Item, Options), with Options::queries and fields().
template <class Search>
class SearchAttack : public Attack {
 public:
  using Options = typename Search::Options;
  static const FieldTable<Options>& fields() { return Search::fields(); }
  explicit SearchAttack(Options options) : options_(std::move(options)) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    return search_items(problem, options_.queries,
                        [&](const Item& item) { return std::make_unique<Search>(item, options_); });
  }
  Options options_;
};

}  // namespace steadyiqa::attacks
