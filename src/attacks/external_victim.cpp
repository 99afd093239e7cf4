#include "attacks/external_victim.h"

#include "base/error.h"
#include "base/text.h"
#include "data/loader.h"
#include "stats/parse_label_scale.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <thread>

namespace steadyiqa::attacks {

const FieldTable<ExternalOptions>& external_fields() {
  using E = ExternalOptions;
  static const FieldTable<E> kFields = {
      field("score-range", &E::score_range, {.help = "WORST:BEST of the scores"}),
      field("max-queries", &E::max_queries, {.help = "of the whole run, judging included", .min = 1, .max = 1e12}),
      field("rate", &E::rate,
            {.help = "0 = as fast as they are answered", .unit = "queries a second", .min = 0, .max = 1e6}),
      field("timeout", &E::timeout, {.help = "for one answer", .unit = "seconds", .min = 0.001, .max = 86400})};
  return kFields;
}

ExternalVictim::ExternalVictim(const ExternalOptions& options)
    : options_(options), calibration_(stats::parse_label_scale(options.score_range).line_to_0_100()) {}

ExternalVictim::Clock::time_point ExternalVictim::deadline() const {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.timeout));
}

void ExternalVictim::wait_for_turn() {
  if (options_.rate <= 0) {
    return;
  }
  std::this_thread::sleep_until(next_turn_);
  const std::chrono::duration<double> interval(1.0 / options_.rate);
  next_turn_ = std::max(next_turn_, Clock::now()) + std::chrono::duration_cast<Clock::duration>(interval);
}

torch::Tensor ExternalVictim::raw(const torch::Tensor& pixels) {
  const auto images = pixels.detach().to(torch::kCPU);
  auto scores = torch::empty({images.size(0)});
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    if (queries_left() < 1) {
      fail_input("the limit of {} queries (max-queries) is used up", options_.max_queries);
    }
    const auto png = image::encode_png(data::to_image(images[i]));
    wait_for_turn();
    ++queries_;
    scores[i] = ask(png);
  }
  return scores.to(pixels.device());
}

}  // namespace steadyiqa::attacks
