#include "base/error.h"
#include "stats/check.h"
#include "stats/correlation.h"
#include "stats/robustness.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unsupported/Eigen/LevenbergMarquardt>

namespace steadyiqa::stats {
namespace {

constexpr double kLeastWidth = 1e-12;  // |b4| of standardised x, below which the curve is a step

/// Residuals of the logistic over points (u, v), both standardised; parameters b1, b2, b3, b4.
class LogisticResiduals : public Eigen::DenseFunctor<double> {
 public:
  LogisticResiduals(const Eigen::ArrayXd& u, const Eigen::ArrayXd& v)
      : DenseFunctor(4, static_cast<int>(u.size())), u_(u), v_(v) {}

  int operator()(const InputType& b, ValueType& residual) const {
    residual = (b(1) + (b(0) - b(1)) * share(b) - v_).matrix();
    return 0;
  }

  int df(const InputType& b, JacobianType& jacobian) const {
    const double width = safe_width(b(3));
    const Eigen::ArrayXd g = share(b);
    const Eigen::ArrayXd slope = (b(0) - b(1)) * g * (1.0 - g) / width;  // dy/du
    jacobian.col(0) = g.matrix();
    jacobian.col(1) = (1.0 - g).matrix();
    jacobian.col(2) = -slope.matrix();
    jacobian.col(3) = (-slope * (u_ - b(2)) / width * std::copysign(1.0, b(3))).matrix();
    return 0;
  }

 private:
  static double safe_width(double b4) { return std::max(std::abs(b4), kLeastWidth); }
  [[nodiscard]] Eigen::ArrayXd share(const InputType& b) const {
    return (1.0 + (-(u_ - b(2)) / safe_width(b(3))).exp()).inverse();
  }
  const Eigen::ArrayXd& u_;
  const Eigen::ArrayXd& v_;
};

struct Fit {
  Eigen::VectorXd b;
  double residual = std::numeric_limits<double>::infinity();
};

Fit fit_from(Eigen::VectorXd b, LogisticResiduals& residuals) {
  Eigen::LevenbergMarquardt<LogisticResiduals> solver(residuals);
  solver.setMaxfev(2000);
  solver.setFtol(1e-14);
  solver.setXtol(1e-14);
  solver.minimize(b);
  const bool usable = b.allFinite() && std::isfinite(solver.fnorm());
  return {b, usable ? solver.fnorm() : std::numeric_limits<double>::infinity()};
}

}  // namespace

double Logistic4::operator()(double x) const {
  const double width = std::max(std::abs(b[3]), std::numeric_limits<double>::min());
  return b[1] + (b[0] - b[1]) / (1.0 + std::exp(-(x - b[2]) / width));
}

Logistic4 fit_logistic4(std::span<const double> x, std::span<const double> y) {
  require_pair("logistic fit", x, y, 4);
  const double x_mean = mean(x);
  const double y_mean = mean(y);
  if (is_constant(x) || is_constant(y)) {
    return {{y_mean, y_mean, x_mean, 1.0}};
  }
  // Standardised, so that neither the starting step nor the stopping rule depends on the units.
  const double x_scale = finite_result("logistic fit", spread(x));
  const double y_scale = finite_result("logistic fit", spread(y));
  const auto count = static_cast<Eigen::Index>(x.size());
  const Eigen::ArrayXd u = (Eigen::Map<const Eigen::ArrayXd>(x.data(), count) - x_mean) / x_scale;
  const Eigen::ArrayXd v = (Eigen::Map<const Eigen::ArrayXd>(y.data(), count) - y_mean) / y_scale;
  LogisticResiduals residuals(u, v);
  const Fit rising = fit_from(Eigen::Vector4d(v.maxCoeff(), v.minCoeff(), 0.0, 0.25), residuals);
  const Fit falling = fit_from(Eigen::Vector4d(v.minCoeff(), v.maxCoeff(), 0.0, 0.25), residuals);
  const Fit& best = falling.residual < rising.residual ? falling : rising;
  if (!std::isfinite(best.residual)) {
    fail(ErrorKind::kNumeric, "logistic fit: no finite solution");
  }
  return {{y_mean + y_scale * best.b(0), y_mean + y_scale * best.b(1), x_mean + x_scale * best.b(2),
           x_scale * std::max(std::abs(best.b(3)), kLeastWidth)}};
}

double plcc_logistic4(std::span<const double> x, std::span<const double> y) {
  const Logistic4 logistic = fit_logistic4(x, y);
  std::vector<double> mapped(x.size());
  std::ranges::transform(x, mapped.begin(), logistic);
  return plcc(mapped, y);
}

}  // namespace steadyiqa::stats
