#include "attacks/item_search.h"

#include <torch/torch.h>

#include <algorithm>
#include <vector>

namespace steadyiqa::attacks {
namespace {

/// The next candidate of each search, [N,3,H,W], with the best known in place of one that has ended; undefined when all
/// have. A search that has ended is reset.
torch::Tensor candidates(std::vector<std::unique_ptr<ItemSearch>>& searches, const torch::Tensor& best) {
  std::vector<torch::Tensor> pixels;
  bool any = false;
  for (std::size_t i = 0; i < searches.size(); ++i) {
    auto candidate = searches[i] ? searches[i]->ask() : torch::Tensor();
    if (candidate.defined()) {
      any = true;
    } else {
      searches[i].reset();
      candidate = best[static_cast<std::int64_t>(i)];
    }
    pixels.push_back(candidate);
  }
  return any ? torch::stack(pixels) : torch::Tensor();
}

}  // namespace

torch::Tensor search_items(Problem& problem, std::int64_t queries, const MakeSearch& make) {
  auto best = problem.clean();
  std::int64_t left = std::min(queries, problem.calls_left());
  if (left < 1) {
    return best;
  }
  auto best_values = problem.values(best);
  --left;
  const auto room = problem.room(best_values);
  std::vector<std::unique_ptr<ItemSearch>> searches;
  for (std::int64_t i = 0; i < problem.size(); ++i) {
    searches.push_back(make({problem, i, problem.clean()[i], problem.box().item(i), best_values[i].item<double>(),
                             room[i].item<double>(), left}));
  }
  for (; left > 0; --left) {
    const auto pixels = candidates(searches, best);
    if (!pixels.defined()) {
      break;
    }
    const auto values = problem.values(pixels);
    Problem::keep_better(best, best_values, pixels, values);
    for (std::size_t i = 0; i < searches.size(); ++i) {
      if (searches[i]) {
        searches[i]->tell(values[static_cast<std::int64_t>(i)].item<double>());
      }
    }
  }
  return best;
}

}  // namespace steadyiqa::attacks
