#include "scoring/score_set.h"

#include "base/error.h"
#include "base/log.h"
#include "data/loader.h"

#include <torch/torch.h>

#include <cmath>
#include <utility>

namespace steadyiqa::scoring {

std::vector<std::filesystem::path> paths_of(const data::Dataset& dataset) {
  std::vector<std::filesystem::path> paths;
  for (const auto& sample : dataset.samples) {
    paths.push_back(sample.path);
  }
  return paths;
}

void for_each_image(std::span<const std::filesystem::path> paths, image::Orientation orientation,
                    const std::string& label, const Visit& visit) {
  const auto count = static_cast<std::int64_t>(paths.size());
  data::Prefetcher<Result<torch::Tensor>> prefetcher(count, [&](std::int64_t i) -> Result<torch::Tensor> {
    const auto image = image::read_image(paths[static_cast<std::size_t>(i)], {}, orientation);
    if (!image) {
      return Failure{image.error()};
    }
    return data::to_tensor(image.value()).unsqueeze(0);
  });
  Progress progress(label, count, "images");
  for (std::int64_t i = 0; i < count; ++i) {
    if (interrupted()) {
      throw Error(ErrorKind::kInterrupted, fmt::format("interrupted after {} of {} images", i, count));
    }
    visit(i, prefetcher.next());
    progress.advance();
  }
}

std::vector<double> raw_scores(const models::Scorer& scorer, const data::Dataset& dataset, const std::string& label) {
  torch::NoGradGuard no_grad;
  const models::EvalMode eval(scorer.network());
  std::vector<double> scores;
  const auto orientation = scorer.options().input.orientation;
  for_each_image(paths_of(dataset), orientation, label, [&](std::int64_t i, const Result<torch::Tensor>& pixels) {
    const double score = scorer.raw(pixels.value())[0].item<double>();
    if (!std::isfinite(score)) {
      throw Error(ErrorKind::kNumeric, fmt::format("{}: the score of {} is not finite", label,
                                                   dataset.samples[static_cast<std::size_t>(i)].name));
    }
    scores.push_back(score);
  });
  return scores;
}

std::vector<std::string> pixel_digests(const models::Scorer& scorer, const data::Dataset& dataset,
                                       const std::string& label) {
  std::vector<std::string> digests;
  const auto orientation = scorer.options().input.orientation;
  for_each_image(paths_of(dataset), orientation, label, [&](std::int64_t /*i*/, const Result<torch::Tensor>& pixels) {
    digests.push_back(data::pixel_digest(pixels.value()));
  });
  return digests;
}

std::vector<double> mos_0_100(const data::Dataset& dataset) {
  std::vector<double> mos;
  for (const auto& sample : dataset.samples) {
    mos.push_back(dataset.scale.to_0_100(sample.mos));
  }
  return mos;
}

models::ScoreScale fit_scale(const models::Scorer& scorer, const data::Dataset& train, std::int64_t limit) {
  auto part = train;
  const auto count = static_cast<std::int64_t>(train.samples.size());
  if (count > limit) {
    part.samples.clear();
    for (std::int64_t i = 0; i < limit; ++i) {
      part.samples.push_back(train.samples[static_cast<std::size_t>(i * count / limit)]);
    }
  }
  const auto raw = raw_scores(scorer, part, "calibrating");
  return {fmt::format("MOS 0-100 of {}", train.name), stats::fit_affine(raw, mos_0_100(part)), true};
}

}  // namespace steadyiqa::scoring
