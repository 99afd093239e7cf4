#include "attacks/uap_training.h"

#include "attacks/adam.h"
#include "attacks/clamp.h"
#include "attacks/uap_generator.h"
#include "base/error.h"
#include "base/log.h"
#include "base/seed.h"
#include "data/loader.h"
#include "scoring/score_set.h"

#include <torch/torch.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace steadyiqa::attacks {
namespace {

/// The perturbation's own values are what is trained.
class DirectUap : public UapInTraining {
 public:
  explicit DirectUap(const UapOptions& options)
      : rate_(uap_rate(options)), bound_(options.bound), value_(torch::zeros({3, options.tile, options.tile})) {
    if (options.trainer == UapTrainer::kOptimised) {
      adam_.emplace();
    }
  }
  [[nodiscard]] torch::Tensor value() override { return value_; }
  void ascend(const torch::Tensor& gradient) override {
    value_ = (value_ + rate_ * (adam_ ? adam_->step(gradient) : gradient)).clamp(-bound_, bound_);
  }

 private:
  double rate_, bound_;
  torch::Tensor value_;
  std::optional<Adam> adam_;
};

/// The weights of a network are, which makes the perturbation from one noise.
class GeneratedUap : public UapInTraining {
 public:
  GeneratedUap(const UapOptions& options, std::uint64_t seed)
      : bound_(options.bound),
        network_(options.tile, options.channels, derive_seed(seed, "weights")),
        adam_(network_.parameters(), torch::optim::AdamOptions(uap_rate(options))),
        noise_(torch::empty({1, 3, options.tile, options.tile})) {
    Rng rng(derive_seed(seed, "noise"));
    auto* values = noise_.data_ptr<float>();
    for (std::int64_t i = 0; i < noise_.numel(); ++i) {
      values[i] = static_cast<float>(rng.uniform());
    }
  }
  [[nodiscard]] torch::Tensor value() override {
    const torch::AutoGradMode with_gradients(true);
    value_ = bound_ * network_.forward(noise_)[0];
    return value_.detach();
  }
  void ascend(const torch::Tensor& gradient) override {
    const torch::AutoGradMode with_gradients(true);
    adam_.zero_grad();
    value_.backward(-gradient);  // the optimiser goes down
    adam_.step();
  }

 private:
  double bound_;
  UapGenerator network_;
  torch::optim::Adam adam_;
  torch::Tensor noise_;
  torch::Tensor value_;
};

/// One of the perturbations of a run.
struct UapSide {
  double way;  ///< +1 raises the score, -1 lowers it
  std::unique_ptr<UapInTraining> perturbation;
  double score_sum = 0;  ///< of the epoch's steps, means of a batch
};

class UapRun {
 public:
  UapRun(const checkpoint::LoadedModel& source, const data::Dataset& images, const UapOptions& options)
      : options_(options),
        images_(images),
        victim_(source.scorer),
        cache_(images, data::kCacheBytes, {.orientation = source.scorer.options().input.orientation}) {
    if (images.samples.empty()) {
      fail_input("a universal perturbation needs images to be trained on");
    }
    if (!source.scorer.options().scale.calibrated) {
      fail_input(
          "the model is not calibrated, so its score does not say which way is up: finish its training, or "
          "convert it with its --labels");
    }
    const auto seed = derive_seed(static_cast<std::uint64_t>(options.seed), "uap");
    sampler_.crop = static_cast<int>(options.tile);
    sampler_.flip = data::Flip::kNone;
    sampler_.seed = derive_seed(seed, "crops");
    sides_.push_back({+1, start_uap(options, derive_seed(seed, "perturbation", 0))});
    if (options.directions == UapDirections::kBoth) {
      sides_.push_back({-1, start_uap(options, derive_seed(seed, "perturbation", 1))});
    }
    uap_.images = scoring::pixel_digests(source.scorer, images, "noting the training images");
    std::ranges::sort(uap_.images);
    uap_.training = options;
    const auto& model = source.scorer.options();
    uap_.model = model.backbone.empty() ? model.model : model.model + "/" + model.backbone;
    uap_.model_sha256 = source.sha256;
  }

  Uap train(const std::function<void(const Uap&)>& after_epoch) {
    steadyiqa::Progress progress("training the perturbation", options_.epochs * steps(), "steps");
    while (uap_.epochs < options_.epochs) {
      train_epoch(progress);
      ++uap_.epochs;
      uap_.up = sides_.front().perturbation->value().clone();
      if (sides_.size() > 1) {
        uap_.down = sides_.back().perturbation->value().clone();
      }
      if (after_epoch) {
        after_epoch(uap_);
      }
    }
    progress.finish();
    return uap_;
  }

 private:
  [[nodiscard]] std::int64_t steps() const {
    return (static_cast<std::int64_t>(images_.samples.size()) + options_.batch - 1) / options_.batch;
  }

  void stop_if_interrupted() const {
    if (interrupted()) {
      fail(ErrorKind::kInterrupted, "interrupted in epoch {} of {}: {}", uap_.epochs + 1, options_.epochs,
           uap_.epochs == 0 ? "nothing was made yet" : "what the finished ones made is kept");
    }
  }

  /// The crops of one step. A batch of the official variant is the first one of an order of its own.
  data::Batch batch(std::int64_t step, const std::vector<data::CropDraw>& order) {
    const auto size = static_cast<std::size_t>(options_.batch);
    if (options_.variant == UapVariant::kOfficial) {
      const auto index = uap_.epochs * steps() + step;
      const auto own = data::epoch_order(static_cast<std::int64_t>(images_.samples.size()), sampler_, index);
      return data::make_batch(cache_, images_, std::span(own).first(std::min(size, own.size())), sampler_, index);
    }
    const auto first = static_cast<std::size_t>(step) * size;
    const auto draws = std::span(order).subspan(first, std::min(size, order.size() - first));
    return data::make_batch(cache_, images_, draws, sampler_, uap_.epochs);
  }

  void train_epoch(steadyiqa::Progress& progress) {
    const auto order = data::epoch_order(static_cast<std::int64_t>(images_.samples.size()), sampler_, uap_.epochs);
    data::Prefetcher<data::Batch> batches(steps(), [&](std::int64_t step) { return batch(step, order); });
    for (auto& side : sides_) {
      side.score_sum = 0;
    }
    for (std::int64_t step = 0; step < steps(); ++step) {
      stop_if_interrupted();
      const auto pixels = batches.next().pixels;
      for (auto& side : sides_) {
        train_step(side, pixels);
      }
      progress.advance(1, mean_scores(step + 1));
    }
    log_info("epoch {}/{}: {}", uap_.epochs + 1, options_.epochs, mean_scores(steps()));
  }

  void train_step(UapSide& side, const torch::Tensor& pixels) {
    const auto at = uap_gradient(victim_, pixels, side.perturbation->value(), side.way, options_.variant);
    if (!torch::isfinite(at.scores).all().item<bool>() || !torch::isfinite(at.gradient).all().item<bool>()) {
      fail(ErrorKind::kNumeric, "universal perturbation: the model's score or its gradient is not finite in epoch {}",
           uap_.epochs + 1);
    }
    side.score_sum += side.way * 100.0 * at.scores.sum().item<double>() + victim_.calibration().intercept;
    side.perturbation->ascend(at.gradient);
  }

  [[nodiscard]] std::string mean_scores(std::int64_t steps_done) const {
    std::string text = "mean score";
    for (const auto& side : sides_) {
      text += fmt::format(" {} {:.2f}", side.way > 0 ? "up" : "down", side.score_sum / static_cast<double>(steps_done));
    }
    return text;
  }

  UapOptions options_;
  const data::Dataset& images_;
  ScorerVictim victim_;
  data::ImageCache cache_;
  data::SamplerOptions sampler_{};
  std::vector<UapSide> sides_;
  Uap uap_;
};

}  // namespace

std::unique_ptr<UapInTraining> start_uap(const UapOptions& options, std::uint64_t seed) {
  if (options.trainer == UapTrainer::kGenerative) {
    return std::make_unique<GeneratedUap>(options, seed);
  }
  return std::make_unique<DirectUap>(options);
}

models::InputGradient uap_gradient(Victim& victim, const torch::Tensor& pixels, const torch::Tensor& perturbation,
                                   double way, UapVariant variant) {
  const double scale = way * victim.calibration().slope / (100.0 * static_cast<double>(pixels.size(0)));
  return models::input_gradient(
      [&](const torch::Tensor& at) {
        const auto moved = pixels + at;
        const auto cut = clamp_ends_included(moved, 0, 1);
        return scale * victim.raw(variant == UapVariant::kPaper ? cut : moved + (cut - moved).detach());
      },
      perturbation);
}

Uap train_uap(const checkpoint::LoadedModel& source, const data::Dataset& images, const UapOptions& options,
              const std::function<void(const Uap&)>& after_epoch) {
  const torch::NoGradGuard no_grad;
  return UapRun(source, images, options).train(after_epoch);
}

}  // namespace steadyiqa::attacks
