#include "evaluation/result.h"

#include "stats/correlation.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace steadyiqa::evaluation {
namespace {

/// Five images; raw scores on a label scale of 0..1, calibrated = 80 raw + 12. The golden numbers below were made from
/// the same lists with numpy 1.24 and scipy 1.10 (spearmanr, pearsonr, kendalltau; std with ddof = 0; percentile).
Evaluation five_images() {
  constexpr std::array<double, 5> kMos = {20, 40, 60, 80, 90};
  constexpr std::array<double, 5> kRaw = {.25, .45, .5, .9, .8};
  constexpr std::array<double, 5> kAttacked = {.65, .5, .35, .3, .7};
  constexpr std::array<double, 5> kFloat = {.7, .52, .33, .28, .69};
  constexpr std::array<double, 5> kGradient = {4000, 1000, 2000, 6000, 900};
  Evaluation e;
  e.calibration = {80, 12};
  e.attack = AttackDescription{.name = "fgsm", .epsilon = 0.01, .levels = 2, .direction = "mid", .unit = "image"};
  for (std::size_t i = 0; i < kMos.size(); ++i) {
    ImageResult image;
    image.name = "image-" + std::to_string(i);
    image.mos = kMos[i];
    image.clean_raw = kRaw[i];
    image.clean = e.calibration(kRaw[i]);
    image.gradient_l1 = kGradient[i];
    image.attacked_raw = kAttacked[i];
    image.attacked = e.calibration(kAttacked[i]);
    image.attacked_float = e.calibration(kFloat[i]);
    image.linf_levels = i == 3 ? 2 : 1;
    image.psnr = 40 + static_cast<double>(i);
    image.ssim = 0.9 + 0.01 * static_cast<double>(i);
    e.images.push_back(image);
  }
  return e;
}

struct Expected {
  double srocc, plcc, krocc, rmse, mae;
};

void expect_agreement(const Agreement& agreement, const Expected& expected) {
  EXPECT_NEAR(agreement.srocc, expected.srocc, 1e-10);
  EXPECT_NEAR(agreement.plcc, expected.plcc, 1e-10);
  EXPECT_NEAR(agreement.krocc, expected.krocc, 1e-10);
  EXPECT_NEAR(agreement.rmse, expected.rmse, 1e-10);
  EXPECT_NEAR(agreement.mae, expected.mae, 1e-10);
}

TEST(Summary, AgreesWithScipy) {
  auto e = five_images();
  summarise(e, {100, 0});
  expect_agreement(e.clean, {0.9, 0.9452840894805357, 0.8, 9.838699100999074, 9.2});
  ASSERT_TRUE(e.attacked);
  expect_agreement(e.attacked->with_mos, {0.0, -0.19754591932991794, -0.2, 31.304951684997057, 28.4});
  expect_agreement(e.attacked->with_clean, {-0.4, -0.30571702197702666, -0.4, 26.65332999833229, 20.8});
  EXPECT_NEAR(e.spread, 19.03260360539251, 1e-10);
  EXPECT_NEAR(e.spread_raw, 0.23790754506740638, 1e-10);
  EXPECT_NEAR(e.mean_gradient_l1, 2780, 1e-10);
  const auto& change = e.attacked->change;
  EXPECT_NEAR(change.mean_absolute, 20.8, 1e-10);
  EXPECT_NEAR(change.median_absolute, 12.0, 1e-10);
  EXPECT_NEAR(change.p95_absolute, 44.8, 1e-10);
  EXPECT_NEAR(change.mean_signed, -6.4, 1e-10);
  EXPECT_NEAR(change.share_of_spread, 1.0928615144439164, 1e-10);
  EXPECT_NEAR(e.attacked->mean_rho, 0.7888888888888891, 1e-10);
}

TEST(Summary, RobustnessIsTakenOnBothScales) {
  auto e = five_images();
  summarise(e, {100, 0});
  // mean ln(max(100 - s, s) / |s - a|), of calibrated scores and of raw ones spread from 0..1 to 0..100 (numpy).
  EXPECT_NEAR(e.attacked->robustness.natural, 1.5191931630346525, 1e-10);
  EXPECT_NEAR(e.attacked->robustness.log10, 0.6597772076510967, 1e-10);
  EXPECT_NEAR(e.attacked->robustness_raw.natural, 1.3430766772669362, 1e-10);
  EXPECT_NEAR(e.attacked->robustness_raw.log10, 0.5832907897099849, 1e-10);
}

TEST(Summary, PlccAfterTheLogisticIsFittedOnThisVerySet) {
  auto e = five_images();
  summarise(e, {100, 0});
  std::vector<double> clean;
  std::vector<double> attacked;
  std::vector<double> mos;
  for (const auto& image : e.images) {
    clean.push_back(image.clean);
    attacked.push_back(image.attacked);
    mos.push_back(image.mos);
  }
  EXPECT_EQ(e.clean.plcc_logistic, stats::plcc_logistic4(clean, mos));
  EXPECT_EQ(e.attacked->with_mos.plcc_logistic, stats::plcc_logistic4(attacked, mos));
  EXPECT_EQ(e.attacked->with_clean.plcc_logistic, stats::plcc_logistic4(attacked, clean));
}

TEST(Summary, FidelityIsAveragedOverTheImagesThatHaveOne) {
  auto e = five_images();
  e.images[1].psnr = std::numeric_limits<double>::infinity();  // the attack changed nothing
  e.images[2].ssim = std::nan("");                             // too small for SSIM
  summarise(e, {100, 0});
  EXPECT_NEAR(e.attacked->mean_psnr, (40 + 42 + 43 + 44) / 4.0, 1e-10);
  EXPECT_NEAR(e.attacked->mean_ssim, (0.90 + 0.91 + 0.93 + 0.94) / 4.0, 1e-10);
  EXPECT_EQ(e.attacked->max_linf_levels, 2);
  for (auto& image : e.images) {
    image.psnr = std::numeric_limits<double>::infinity();
  }
  summarise(e, {100, 0});
  EXPECT_TRUE(std::isnan(e.attacked->mean_psnr));
}

TEST(ResultJson, WritesNullForWhatIsNoNumber) {
  auto e = five_images();
  for (auto& image : e.images) {
    image.clean = 50;  // no correlation, no spread
    image.psnr = std::numeric_limits<double>::infinity();
  }
  summarise(e, {100, 0});
  const auto json = nlohmann::json::parse(to_json(e, /*images=*/true).dump());
  EXPECT_TRUE(json.at("clean").at("srocc").is_null());
  EXPECT_TRUE(json.at("attacked").at("change_share_of_spread").is_null());
  EXPECT_TRUE(json.at("attacked").at("psnr_mean_db").is_null());
  EXPECT_TRUE(json.at("images").at(0).at("psnr_db").is_null());
  EXPECT_EQ(json.at("spread"), 0.0);
}

TEST(ResultJson, HoldsEveryMeasureUnderItsName) {
  auto e = five_images();
  summarise(e, {100, 0});
  const auto json = to_json(e, /*images=*/true);
  EXPECT_EQ(json.at("clean").at("rmse"), e.clean.rmse);
  EXPECT_EQ(json.at("attacked").at("with_mos").at("srocc"), e.attacked->with_mos.srocc);
  EXPECT_EQ(json.at("attacked").at("with_clean").at("mae"), e.attacked->with_clean.mae);
  EXPECT_EQ(json.at("attacked").at("r_natural"), e.attacked->robustness.natural);
  EXPECT_EQ(json.at("attacked").at("r_log10_uncalibrated"), e.attacked->robustness_raw.log10);
  EXPECT_EQ(json.at("attacked").at("change_p95"), e.attacked->change.p95_absolute);
  EXPECT_EQ(json.at("attack").at("eps_px"), 0.01);
  ASSERT_EQ(json.at("images").size(), 5U);
  EXPECT_EQ(json.at("images").at(4).at("attacked_raw"), 0.7);
  EXPECT_FALSE(to_json(e, /*images=*/false).contains("images"));
  e.attack.reset();
  e.attacked.reset();
  summarise(e, {100, 0});
  const auto clean = to_json(e, /*images=*/true);
  EXPECT_FALSE(clean.contains("attacked"));
  EXPECT_FALSE(clean.at("images").at(0).contains("psnr_db"));
}

}  // namespace
}  // namespace steadyiqa::evaluation
