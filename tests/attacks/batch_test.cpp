// No item of a batch depends on its neighbours.
#include "attacks/analytic_victim.h"
#include "attacks/quick_spec.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::DifferentiableVictim;
using ::steadyiqa::testing::quick_spec;

Problem problem(Victim& victim, const torch::Tensor& clean, std::vector<double> signs,
                std::vector<std::uint64_t> seeds) {
  return {victim, clean, torch::tensor(signs, torch::kFloat32), {}, 8.0 / 255.0, std::move(seeds)};
}

TEST(EveryAttackOfABatch, GivesEachItemWhatItGetsAlone) {
  DifferentiableVictim victim;
  const auto batch = data::to_tensor(image::noise(23, 3 * 14)).reshape({3, 3, 14, 23});
  for (const auto& info : attack_catalogue()) {
    const auto attack = make_attack(quick_spec(info.name));
    auto together = problem(victim, batch, {1, -1, 1}, {5, 6, 7});
    const auto attacked = attack->propose(together);
    for (std::int64_t i = 0; i < 3; ++i) {
      auto alone =
          problem(victim, batch.slice(0, i, i + 1), {i == 1 ? -1.0 : 1.0}, {5 + static_cast<std::uint64_t>(i)});
      EXPECT_TRUE(torch::equal(attack->propose(alone)[0], attacked[i])) << info.name << " " << i;
    }
    EXPECT_FALSE(torch::equal(attacked, batch)) << info.name;
  }
}

}  // namespace
}  // namespace steadyiqa::attacks
