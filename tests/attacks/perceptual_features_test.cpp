// The perceptual attack against distances whose weights are the user's.
#include "attacks/perceptual.h"

#include "attacks/analytic_victim.h"
#include "base/expect_error.h"
#include "base/temp_folder.h"
#include "checkpoint/feature_distance_file.h"
#include "checkpoint/network_tensors.h"
#include "checkpoint/safetensors.h"
#include "models/hash_weights.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::analytic_score;
using ::steadyiqa::testing::DifferentiableVictim;
using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::problem_of;
using ::steadyiqa::testing::proposal;

/// LPIPS on AlexNet with hash weights in a file.
class PerceptualFeatures : public steadyiqa::testing::TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    const auto distance = models::make_lpips(models::LpipsTrunk::kAlexNet);
    models::fill_hash_weights(*distance);
    checkpoint::TensorMap state;
    for (const auto& [name, tensor] : checkpoint::network_tensors(*distance)) {
      state.emplace(name, name.starts_with("lin") ? tensor.abs() : tensor);
    }
    checkpoint::write_safetensors(weights(), {.tensors = state, .metadata = {}});
  }
  [[nodiscard]] std::filesystem::path weights() const { return folder() / "lpips.safetensors"; }
  [[nodiscard]] std::string spec(const std::string& rest) const {
    return fmt::format("perceptual:distance=lpips,weights={},{}", weights().string(), rest);
  }
  [[nodiscard]] torch::Tensor attacked(const std::string& rest) const {
    DifferentiableVictim victim;
    auto problem = problem_of(victim, clean_);
    return proposal(spec(rest), problem);
  }
  /// LPIPS from the clean image.
  [[nodiscard]] torch::Tensor lpips(const torch::Tensor& x) const {
    return network()->between(network()->features(x), network()->features(clean_));
  }
  [[nodiscard]] const std::shared_ptr<models::FeatureDistance>& network() const {
    if (network_ == nullptr) {
      network_ = checkpoint::load_feature_distance(checkpoint::FeatureDistanceKind::kLpips, weights());
    }
    return network_;
  }
  [[nodiscard]] double rise(const torch::Tensor& x) const {
    return (analytic_score(x) - analytic_score(clean_)).item<double>();
  }
  const torch::Tensor clean_ = data::to_tensor(image::scene(47, 38)).unsqueeze(0);

 private:
  mutable std::shared_ptr<models::FeatureDistance> network_;
};

TEST_F(PerceptualFeatures, ABisectionEndsAtTheDistanceAskedFor) {
  const torch::NoGradGuard no_grad;
  double before = 0;
  for (const double distance : {3e-4, 1e-3}) {
    const auto x =
        attacked(fmt::format("steps=10,step-size=2e-3,trials=8,max-distance={}", distance)).mul(255).round() / 255;
    const double reached = lpips(x).item<double>();
    EXPECT_LE(reached, distance + 2e-6);
    EXPECT_GE(reached, 0.5 * distance);
    EXPECT_GT(rise(x), before + 1);
    before = rise(x);
  }
}

// libtorch's own Adam, made anew for each step; the corners are the other distances'.
TEST_F(PerceptualFeatures, OfficialMovesTheCornersToo) {
  const auto x = attacked("variant=official,search=fixed,steps=1,lambda=1e-3");
  DifferentiableVictim victim;
  const auto problem = problem_of(victim, clean_);
  auto start = problem.random("perceptual", 0, [](Rng& rng) { return static_cast<double>(rng.below(2) - 1) / 255.0; });
  const auto noisy = (clean_ + start).clamp(0, 1);
  start = noisy.clone().requires_grad_(true);
  torch::optim::Adam adam(std::vector<torch::Tensor>{start}, torch::optim::AdamOptions(0.005));
  const auto change = analytic_score(start) - analytic_score(clean_);
  (lpips(start) - 1e-3 * change * change.abs()).sum().backward();
  start.mutable_grad().div_(start.grad().norm());
  adam.step();
  const auto expected = start.detach().clamp(0, 1);
  EXPECT_LT((x - expected).abs().mean().item<double>(), 1e-6);  // single pixels whose gradient is near 0 may differ
  EXPECT_GT((x - noisy).slice(2, 0, 5).slice(3, 0, 5).abs().mean().item<double>(), 0.004);
}

TEST_F(PerceptualFeatures, WeightsBelongToTheDistancesThatHaveSome) {
  const auto refused = [](ErrorKind kind, const std::string& text) {
    return error_message(kind, [&] { static_cast<void>(make_attack(AttackSpec::parse(text))); });
  };
  EXPECT_NE(refused(ErrorKind::kUsage, "perceptual:distance=lpips").find("weights=FILE"), std::string::npos);
  EXPECT_NE(refused(ErrorKind::kUsage, "perceptual:distance=dists,trunk=x").find("dists needs"), std::string::npos);
  EXPECT_NE(refused(ErrorKind::kUsage, "perceptual:weights=x").find("lpips and dists"), std::string::npos);
  EXPECT_NE(refused(ErrorKind::kUsage, "perceptual:distance=linf,trunk=x").find("lpips and dists"), std::string::npos);
  const auto as_dists = "perceptual:distance=dists,weights=" + weights().string();
  EXPECT_NE(refused(ErrorKind::kInput, as_dists).find("stage1.0.bias"), std::string::npos);
  EXPECT_NE(refused(ErrorKind::kInput, as_dists + ".not").find("lpips.safetensors.not"), std::string::npos);
}

TEST_F(PerceptualFeatures, TinyImagesAreRefused) {
  DifferentiableVictim victim;
  auto problem = problem_of(victim, torch::full({1, 3, 30, 40}, 0.5));
  EXPECT_NE(
      error_message(ErrorKind::kInput, [&] { static_cast<void>(proposal(spec("steps=1"), problem)); }).find("40x30"),
      std::string::npos);
}

}  // namespace
}  // namespace steadyiqa::attacks
