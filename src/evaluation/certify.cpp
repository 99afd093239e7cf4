#include "evaluation/certify.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/seed.h"
#include "data/loader.h"
#include "models/network.h"
#include "models/noise.h"
#include "stats/median_smoothing.h"
#include "stats/robustness.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace steadyiqa::evaluation {
namespace {

constexpr double kMedian = 50.0;  // percent

}  // namespace

const FieldTable<CertifyOptions>& certify_fields() {
  using C = CertifyOptions;
  constexpr double kMost = 1e6;
  static const FieldTable<C> kFields = {
      field("sigma", &C::sigma,
            {.help = "standard deviation of the noise", .unit = "[0,1] px", .min = 1e-4, .max = 10}),
      field("radius", &C::radius,
            {.help = "l2 norm of the change that is certified", .unit = "[0,1] px", .min = 0, .max = 1000}),
      field("samples", &C::samples, {.help = "noisy scores of each image", .min = 1, .max = kMost}),
      field("confidence", &C::confidence, {.help = "of each end of the interval", .min = 0.5, .max = 0.999999}),
      field("seed", &C::seed, {.help = "of the noise", .min = 0}),
  };
  return kFields;
}

CertifiedScore certify(const models::Scorer& scorer, const torch::Tensor& pixels, const CertifyOptions& options) {
  const torch::NoGradGuard no_grad;
  const models::EvalMode eval(scorer.network());
  const auto clean = pixels.contiguous();
  const auto image = digest_number(data::pixel_digest(clean));
  std::vector<double> scores;
  for (std::int64_t i = 0; i < options.samples; ++i) {
    if (interrupted()) {
      throw Error(ErrorKind::kInterrupted, "interrupted");
    }
    const auto seed =
        derive_seed(static_cast<std::uint64_t>(options.seed), "certify", image, static_cast<std::uint64_t>(i));
    const double raw = scorer.raw(clean + options.sigma * models::noise_like(clean, 1.0, seed))[0].item<double>();
    if (!std::isfinite(raw)) {
      throw Error(ErrorKind::kNumeric, "certify: the model's score is not finite");
    }
    scores.push_back(scorer.calibrate(raw));
  }
  std::ranges::sort(scores);
  CertifiedScore result;
  result.median = stats::percentile(scores, kMedian);
  result.linf_equivalent = options.radius / std::sqrt(static_cast<double>(pixels.numel()));
  if (const auto places =
          stats::certified_order_statistics(options.samples, options.radius, options.sigma, options.confidence)) {
    const double low = scores[static_cast<std::size_t>(places->low - 1)];
    const double high = scores[static_cast<std::size_t>(places->high - 1)];
    result.bounds = {low, high, std::max(high - result.median, result.median - low)};
  }
  return result;
}

nlohmann::json to_json(const CertifiedScore& score) {
  nlohmann::json json = {{"median", score.median}, {"eps_linf_equivalent_px", score.linf_equivalent}};
  json["low"] = score.bounds ? nlohmann::json(score.bounds->low) : nlohmann::json(nullptr);
  json["high"] = score.bounds ? nlohmann::json(score.bounds->high) : nlohmann::json(nullptr);
  json["certified_delta"] = score.bounds ? nlohmann::json(score.bounds->delta) : nlohmann::json(nullptr);
  return json;
}

}  // namespace steadyiqa::evaluation
