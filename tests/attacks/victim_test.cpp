#include "attacks/victim.h"

#include "attacks/tiny_scorer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

TEST(ScorerVictim, SearchesOnFoldedBatchNormAndJudgesOnTheNetworkAsItIs) {
  const torch::NoGradGuard no_grad;
  const auto scorer = testing::tiny_scorer();
  const auto pixels = testing::tiny_images(1)[0];
  const auto unfolded = scorer.raw(pixels);
  {
    ScorerVictim victim(scorer);
    const auto searched = victim.raw_in_search(pixels);
    EXPECT_TRUE(torch::allclose(searched, unfolded, 0, 1e-5)) << searched << unfolded;
    // That it is folded: statistics that change meanwhile are not looked at.
    const auto statistics = scorer.network().named_buffers()["features.0.1.running_mean"];
    statistics.add_(1);
    EXPECT_TRUE(torch::equal(victim.raw_in_search(pixels), searched));
    EXPECT_FALSE(torch::allclose(victim.raw(pixels), unfolded, 0, 1e-2));
    statistics.sub_(1);
    EXPECT_TRUE(torch::equal(victim.raw(pixels), unfolded));
    static_cast<void>(victim.raw_in_search(pixels));
  }
  EXPECT_TRUE(torch::equal(scorer.raw(pixels), unfolded));
}

}  // namespace
}  // namespace steadyiqa::attacks
