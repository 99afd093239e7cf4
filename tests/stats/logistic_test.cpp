#include "base/error.h"
#include "stats/correlation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace steadyiqa::stats {
namespace {

struct Case {
  std::string name;
  std::vector<double> x, y;
  double residual, plcc;
};

// scipy 1.10, the better of curve_fit(f, x, y, p0, maxfev=100000, ftol=1e-14, xtol=1e-14) from
// p0 = (max y, min y, mean x, std x / 4) and from the same with the first two exchanged:
// sqrt(sum((f(x) - y) ** 2)) and pearsonr(f(x), y)[0].
const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"rising",
       {0.1803, 0.0195, 0.4632, 0.7249, 0.4202, 0.4854, 0.0128, 0.4874, 0.9418, 0.8508, 0.73,   0.1087,
        0.8939, 0.8572, 0.1651, 0.6323, 0.0205, 0.1167, 0.3164, 0.1579, 0.759,  0.8183, 0.3446, 0.3188},
       {17.121, 18.671, 43.012, 81.343, 39.143, 46.605, 15.249, 54.471, 91.949, 88.743, 87.309, 10.426,
        88.32,  86.258, 13.026, 73.472, 11.634, 11.565, 21.331, 13.96,  87.031, 93.405, 17.592, 26.372},
       15.445429872673923,
       0.9952448625289962},
      {"falling",
       {13.5054, 34.8993, 58.626,  5.031,   1.6586,  61.6438, 23.9962, 56.0931, 58.7734, 74.6324, 32.0263, 28.675,
        64.5253, 61.1593, 52.2092, 64.8773, 51.3772, 76.5955, 26.71,   59.0602, 75.9867, 26.7491, 48.9306, 29.2536},
       {78.574, 60.436, 32.0,   79.979, 81.778, 27.194, 71.258, 21.099, 23.694, 18.188, 69.097, 73.178,
        24.845, 24.721, 30.475, 14.576, 25.035, 6.173,  77.265, 11.801, 20.166, 83.014, 26.96,  67.09},
       25.665304405725532,
       0.9805198254974364},
      {"nearly linear",
       {84.4939, 30.2165, 43.8221, 9.1415,  30.0979, 8.5695,  34.3713, 70.9301, 97.3968, 62.5225, 26.9304, 65.6709,
        62.6998, 82.5652, 53.3694, 91.1122, 41.5504, 28.6045, 51.9008, 92.245,  72.3911, 49.3913, 49.7496, 64.8722},
       {67.855, 37.844, 43.33,  35.338, 41.259, 34.55,  44.558, 58.455, 70.146, 55.5,   37.44,  56.93,
        55.643, 66.911, 49.146, 66.524, 45.636, 40.913, 54.11,  67.667, 58.294, 50.054, 51.428, 54.177},
       8.791916087423887,
       0.9861750193288649},
  };
  return all;
}

double residual(const Logistic4& logistic, const Case& c) {
  double sum = 0;
  for (std::size_t i = 0; i < c.x.size(); ++i) {
    sum += (logistic(c.x[i]) - c.y[i]) * (logistic(c.x[i]) - c.y[i]);
  }
  return std::sqrt(sum);
}

TEST(LogisticTest, ResidualAndCorrelationMatchScipy) {
  for (const auto& c : cases()) {
    SCOPED_TRACE(c.name);
    EXPECT_NEAR(residual(fit_logistic4(c.x, c.y), c), c.residual, 1e-6);
    EXPECT_NEAR(plcc_logistic4(c.x, c.y), c.plcc, 1e-6);
  }
}

TEST(LogisticTest, RecoversTheParametersOfCleanPoints) {
  const Logistic4 truth{{95.0, 10.0, 3.0, 0.8}};
  std::vector<double> x;
  std::vector<double> y;
  for (int i = 0; i <= 30; ++i) {
    x.push_back(0.2 * i);
    y.push_back(10.0 + 85.0 / (1.0 + std::exp(-(0.2 * i - 3.0) / 0.8)));
    EXPECT_NEAR(truth(x.back()), y.back(), 1e-12);
  }
  const Logistic4 fitted = fit_logistic4(x, y);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(fitted.b.at(i), truth.b.at(i), 1e-6);
  }
}

TEST(LogisticTest, UnitsDoNotChangeTheFit) {
  Case scaled = cases().front();
  for (double& v : scaled.x) {
    v = 1e6 * v - 4e5;
  }
  EXPECT_NEAR(residual(fit_logistic4(scaled.x, scaled.y), scaled), scaled.residual, 1e-6);
}

TEST(LogisticTest, ConstantScoresCarryNoInformation) {
  const std::vector<double> x(6, 0.1);
  const std::vector<double> y{1, 2, 3, 4, 5, 9};
  EXPECT_DOUBLE_EQ(fit_logistic4(x, y)(0.1), 4.0);
  EXPECT_TRUE(std::isnan(plcc_logistic4(x, y)));
}

TEST(LogisticTest, StepAndOutlierStayFinite) {
  const std::vector<double> x{0, 1, 2, 3, 4, 1e12};
  const std::vector<double> y{0, 0, 0, 1, 1, 1};
  const Logistic4 fitted = fit_logistic4(x, y);
  for (const double b : fitted.b) {
    EXPECT_TRUE(std::isfinite(b));
  }
  const double step = plcc_logistic4(std::vector<double>{0, 1, 2, 3, 4, 5}, y);
  EXPECT_GT(step, 0.999);
}

TEST(LogisticTest, NarrowestCurveIsAStep) {
  const Logistic4 step{{1.0, 0.0, 5.0, 0.0}};
  EXPECT_EQ(step(4.9), 0.0);
  EXPECT_EQ(step(5.0), 0.5);
  EXPECT_EQ(step(5.1), 1.0);
}

TEST(LogisticTest, BadInputIsANumericError) {
  const std::vector<double> y{1, 2, 3, 4};
  EXPECT_THROW((void)fit_logistic4(std::vector<double>{1, 2, NAN, 4}, y), Error);
  EXPECT_THROW((void)fit_logistic4(std::vector<double>{1, 2, 3}, std::vector<double>{1, 2, 3}), Error);
  EXPECT_THROW((void)fit_logistic4(std::vector<double>{1, 2, 3}, y), Error);
}

}  // namespace
}  // namespace steadyiqa::stats
