#include "training/trainer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/seed.h"
#include "checkpoint/model_file.h"
#include "data/loader.h"
#include "data/split.h"
#include "models/cost.h"
#include "objective/regulariser.h"
#include "parallel/device.h"
#include "parallel/runtime.h"
#include "scoring/score_set.h"
#include "stats/correlation.h"
#include "training/optimiser.h"
#include "training/weight_average.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>
#include <utility>

namespace steadyiqa::training {

namespace {

/// Starts the score at the training set's mean label, so that the first steps need not climb there from 0.
void start_at_mean_label(models::Network& network, const data::Dataset& train, const stats::Affine& label) {
  double sum = 0;
  for (const auto& sample : train.samples) {
    sum += label(sample.mos);
  }
  for (auto& item : network.named_parameters()) {
    if (item.key() == network.output_bias()) {
      torch::NoGradGuard no_grad;
      item.value().fill_(sum / static_cast<double>(train.samples.size()));
    }
  }
}

}  // namespace

stats::Affine label_map(Labels labels, const data::Dataset& train) {
  const auto line = [](double zero, double one) { return stats::Affine{1.0 / (one - zero), -zero / (one - zero)}; };
  switch (labels) {
    case Labels::kRaw:
      return {};
    case Labels::kPoints:
      return train.scale.line_to_0_100();
    case Labels::kUnit: {
      const auto [low, high] = std::ranges::minmax_element(train.samples, {}, &data::Sample::mos);
      if (!(low->mos < high->mos)) {
        fail_input("{}: labels = unit needs labels that differ, all are {}", train.name, low->mos);
      }
      return line(low->mos, high->mos);
    }
  }
  STEADYIQA_ASSERT(false, "every kind of label has its case");
  return {};
}

models::Scorer make_scorer(const Recipe& recipe, const data::Dataset& train) {
  const auto& info = models::find_model(recipe.model.name);
  auto network = models::make_network(recipe.model.name, recipe.model.backbone, recipe.model.swin_scale);
  if (recipe.data.batch < network->least_training_batch()) {
    fail_usage("model '{}' trains on batches of {} crops or more, not {}", info.name, network->least_training_batch(),
               recipe.data.batch);
  }
  if (info.unit_score && recipe.data.labels != Labels::kUnit) {
    fail_usage("model '{}' puts out 0 to 1: it trains with data.labels = unit", info.name);
  }
  models::check_precision(recipe.run.precision, *network);
  info.initialise(*network, derive_seed(static_cast<std::uint64_t>(recipe.run.seed), "weights"));
  bool whole_model = false;
  if (!recipe.model.init.empty()) {
    whole_model = checkpoint::load_initial(*network, recipe.model.init) == checkpoint::Initial::kModel;
  } else if (!network->trunk_prefix().empty()) {
    log_warning("no pretrained trunk (--init FILE): '{}' starts from random weights and will learn far less",
                recipe.model.name);
  }
  if (recipe.optimiser.bias_to_mean && !whole_model) {
    start_at_mean_label(*network, train, label_map(recipe.data.labels, train));
  }
  models::ScorerOptions options;
  options.model = recipe.model.name;
  options.backbone = models::resolve_backbone(info, recipe.model.backbone);
  options.swin_scale = recipe.model.swin_scale;
  options.crop = recipe.data.crop == 0 ? info.crop : static_cast<int>(recipe.data.crop);
  if (options.crop != info.crop && !info.any_size) {
    fail_usage("model '{}' takes crops of {} pixels, not {}", info.name, info.crop, options.crop);
  }
  options.input = recipe.input;
  options.crops = recipe.scoring;
  options.normalisation = info.normalisation;
  return {std::move(network), std::move(options)};
}

namespace {

/// Sums over an epoch's steps, for its log line.
struct EpochSums {
  double loss = 0;
  double penalty = 0;
  double gradient_norm = 0;
  std::int64_t steps = 0;
  void add(const objective::Objective& step) {
    loss += step.loss;
    penalty += step.penalty;
    gradient_norm += step.mean_gradient_norm;
    ++steps;
  }
  [[nodiscard]] nlohmann::json means() const {
    const auto n = static_cast<double>(std::max<std::int64_t>(steps, 1));
    return {{"loss", loss / n}, {"penalty", penalty / n}, {"gradient_norm", gradient_norm / n}};
  }
};

class Run {
 public:
  Run(const Recipe& recipe, const TrainingData& data, const std::filesystem::path& dir, bool resume)
      : recipe_(recipe),
        data_(data),
        label_(label_map(recipe.data.labels, data.train)),
        scorer_(make_scorer(recipe, data.train)),
        optimiser_(scorer_.network(), recipe.optimiser),
        average_(scorer_.network(), recipe.run.average),
        cache_(data.train, data::kCacheBytes,
               {scorer_.options().input.orientation, image::resize_rule(scorer_.options().input)}),
        directory_(dir, resume, identity()) {
    sampler_.crop = scorer_.options().crop;
    sampler_.whole = recipe.data.crops == TrainingCrops::kWhole;
    sampler_.crops_per_image = static_cast<int>(recipe.data.crops_per_image);
    sampler_.flip = recipe.data.flip;
    sampler_.flip_probability = recipe.data.flip_probability;
    sampler_.seed = derive_seed(static_cast<std::uint64_t>(recipe.run.seed), "data");
    if (auto saved = directory_.saved()) {
      const auto where = directory_.state_file().string();
      position_ = saved->position;
      checkpoint::set_network_tensors(scorer_.network(), saved->network, where);
      // Under the official quirks the head's group is gone after the first epoch, and so is its state.
      optimiser_.start_epoch(position_.epochs_done == 0 ? 0 : position_.epochs_done - 1);
      optimiser_.set_state(saved->optimiser, where);
      average_.set_state(saved->average, where);
      log_info("resuming {} after epoch {} of {}", dir.string(), position_.epochs_done, recipe.run.epochs);
    }
    directory_.trim_log(position_.epochs_done);
    write_file_atomic(dir / "recipe.toml", recipe_to_toml(recipe));
  }

  TrainingResult train() {
    while (position_.epochs_done < recipe_.run.epochs) {
      train_epoch(position_.epochs_done);
      finish_epoch(position_.epochs_done);
    }
    if (!position_.finished) {
      write_calibrated_models();
    }
    return {directory_.best_model(), directory_.last_model(), position_.best_epoch, position_.best_srocc};
  }

 private:
  [[nodiscard]] nlohmann::json identity() const {
    return {{"recipe", recipe_to_json(recipe_)},
            {"train", data_.train.digest()},
            {"selection", data_.selection ? data_.selection->digest() : ""}};
  }

  /// The last batch may be smaller, but not below what the network can train on: then it is dropped.
  [[nodiscard]] std::int64_t steps_per_epoch() const {
    const auto draws = static_cast<std::int64_t>(data_.train.samples.size()) * recipe_.data.crops_per_image;
    const auto rest = draws % recipe_.data.batch;
    const auto least = recipe_.data.drop_last ? recipe_.data.batch : scorer_.network().least_training_batch();
    const auto full = draws / recipe_.data.batch;
    return full + (rest > 0 && (rest >= least || full == 0) ? 1 : 0);
  }

  void train_epoch(std::int64_t epoch) {
    const auto order = data::epoch_order(static_cast<std::int64_t>(data_.train.samples.size()), sampler_, epoch);
    const auto steps = steps_per_epoch();
    const auto batch = static_cast<std::size_t>(recipe_.data.batch);
    data::Prefetcher<data::Batch> batches(steps, [&](std::int64_t step) {
      const auto first = static_cast<std::size_t>(step) * batch;
      const auto draws = std::span(order).subspan(first, std::min(batch, order.size() - first));
      return data::make_batch(cache_, data_.train, draws, sampler_, epoch);
    });
    optimiser_.start_epoch(epoch);
    Progress progress(fmt::format("epoch {}/{}", epoch + 1, recipe_.run.epochs), steps, "steps");
    sums_ = {};
    epoch_start_ = std::chrono::steady_clock::now();
    for (std::int64_t step = 0; step < steps; ++step) {
      if (interrupted()) {
        throw Error(ErrorKind::kInterrupted,
                    fmt::format("interrupted in epoch {}: {} finished epochs are saved, continue with --resume",
                                epoch + 1, position_.epochs_done));
      }
      const auto result = train_step(batches.next(), epoch, step, steps);
      sums_.add(result);
      if (step % recipe_.run.log_steps == 0) {
        directory_.log({{"epoch", epoch},
                        {"step", step},
                        {"loss", result.loss},
                        {"penalty", result.penalty},
                        {"gradient_norm", result.mean_gradient_norm}});
      }
      progress.advance(1, fmt::format("loss {:.2f}", result.loss));
    }
  }

  objective::Objective train_step(const data::Batch& batch, std::int64_t epoch, std::int64_t step, std::int64_t steps) {
    auto& network = scorer_.network();
    const parallel::OneBlasThread one_thread(!models::mostly_products(network));
    network.train();
    std::optional<models::FrozenBatchNorm> frozen;
    const auto& adam = recipe_.optimiser;
    if (adam.batch_norm == objective::BatchNormMode::kFrozen && epoch >= adam.batch_norm_epochs) {
      frozen.emplace(network);
    }
    const double position = static_cast<double>(epoch) + static_cast<double>(step) / static_cast<double>(steps);
    optimiser_.set_rates(rates_at(recipe_.optimiser, recipe_.run, epoch, step, steps));
    optimiser_.zero_grad();
    auto result = objective::training_objective(
        network, scorer_.normalise(batch.pixels), (batch.mos * label_.slope + label_.intercept).to(parallel::device()),
        objective_options(epoch, step), objective::lambda_at(recipe_.regulariser, position));
    if (!std::isfinite(result.loss) || !std::isfinite(result.penalty)) {
      throw Error(ErrorKind::kNumeric,
                  fmt::format("epoch {} step {}: the loss is not finite (loss {}, penalty {}); try a "
                              "lower learning rate or lambda",
                              epoch + 1, step, result.loss, result.penalty));
    }
    objective::add_parameter_gradients(result, network);
    optimiser_.step();
    average_.update();
    return result;
  }

  [[nodiscard]] objective::ObjectiveOptions objective_options(std::int64_t epoch, std::int64_t step) const {
    const auto& scale = data_.train.scale;
    return {recipe_.loss,
            recipe_.regulariser,
            scorer_.options().normalisation.std,
            derive_seed(static_cast<std::uint64_t>(recipe_.run.seed), "dropout", static_cast<std::uint64_t>(epoch),
                        static_cast<std::uint64_t>(step)),
            100.0 / ((scale.max - scale.min) * std::abs(label_.slope)),
            /*fold_frozen=*/true,
            recipe_.run.precision,
            recipe_.run.checkpoint_activations};
  }

  void finish_epoch(std::int64_t epoch) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - epoch_start_;
    std::optional<WeightAverage::Applied> averaged(average_);  // what is validated and saved
    auto line = sums_.means();
    line["epoch"] = epoch;
    line["seconds"] = std::round(seconds.count() * 10.0) / 10.0;
    double srocc = std::nan("");
    if (data_.selection) {
      const auto raw = scoring::raw_scores(scorer_, *data_.selection, "validating");
      std::vector<double> labels;  // as what the network learns; where a lower one is better, both turn round
      for (const auto& sample : data_.selection->samples) {
        labels.push_back(label_(sample.mos));
      }
      srocc = stats::srocc(raw, labels);
      line["srocc"] = srocc;
      line["plcc"] = stats::plcc(raw, labels);
      line["spread"] = stats::spread(raw);
    }
    select(epoch, srocc);
    averaged.reset();
    ++position_.epochs_done;
    directory_.log(line);  // before the state: a crash in between repeats the epoch and its lines, none is lost
    save_state();
    const auto selection = data_.selection ? fmt::format(", clean SROCC {:.4f}", srocc) : std::string();
    log_info("epoch {}/{}: loss {:.3f}, |D| {:.2f}{}, {:.0f} s", epoch + 1, recipe_.run.epochs,
             line["loss"].get<double>(), line["gradient_norm"].get<double>(), selection, seconds.count());
  }

  void select(std::int64_t epoch, double srocc) {
    const bool last = epoch + 1 == recipe_.run.epochs;
    bool chosen = last && position_.best_epoch < 0;  // there is always a best model
    if (recipe_.run.select == Selection::kLast) {
      chosen = last;
    } else if (epoch >= recipe_.run.select_from && srocc > position_.best_srocc) {
      chosen = true;
    }
    if (chosen) {
      position_.best_epoch = epoch;
      position_.best_srocc = srocc;
      checkpoint::save_model(directory_.best_model(), scorer_, provenance(epoch, srocc));
    }
  }

  [[nodiscard]] checkpoint::Provenance provenance(std::int64_t epoch, double srocc) const {
    return {recipe_to_json(recipe_),
            {{"data", data_.train.name},
             {"data_digest", data_.train.digest()},
             {"images", data_.train.samples.size()},
             {"label_scale", data_.train.scale.name},
             {"label_min", data_.train.scale.min},
             {"label_max", data_.train.scale.max},
             {"label_direction", data_.train.scale.direction_text()},
             {"mos_0_100", data_.train.scale.transformation()},
             {"epoch", epoch},
             {"selection_srocc", srocc}}};
  }

  /// A loss without a scale leaves it to the fitted line what a raw score is in labels (LinearityIQA's k and b).
  [[nodiscard]] models::ScoreScale fitted_scale(const models::Scorer& scorer) const {
    auto scale = scoring::fit_scale(scorer, data_.train, recipe_.run.calibration_images);
    const auto& labels = data_.train.scale;
    if (!objective::scale_free(recipe_.loss.loss)) {
      scale.native = {labels, label_.inverse()};
    } else {
      scale.native = {labels, labels.line_to_0_100().inverse().after(scale.calibration)};
    }
    return scale;
  }

  /// Fits each model's calibration line on the training set and writes the final files, which say what they saw.
  void write_calibrated_models() {
    std::optional<WeightAverage::Applied> averaged(average_);
    scorer_.set_scale(fitted_scale(scorer_));
    const auto last_epoch = recipe_.run.epochs - 1;
    const bool same = position_.best_epoch == last_epoch;
    const double srocc = same ? position_.best_srocc : std::nan("");
    auto last = provenance(last_epoch, srocc);
    last.training_images = scoring::pixel_digests(scorer_, data_.train, "noting the training images");
    checkpoint::save_model(directory_.last_model(), scorer_, last);
    if (same) {
      checkpoint::save_model(directory_.best_model(), scorer_, last);
    } else {
      auto best = checkpoint::load_model(directory_.best_model());
      best.scorer.set_scale(fitted_scale(best.scorer));
      best.provenance.training_images = last.training_images;
      checkpoint::save_model(directory_.best_model(), best.scorer, best.provenance);
    }
    averaged.reset();
    position_.finished = true;
    save_state();
  }

  void save_state() const {
    directory_.save_state(
        {position_, checkpoint::network_tensors(scorer_.network()), optimiser_.state(), average_.state()});
  }

  Recipe recipe_;
  const TrainingData& data_;
  stats::Affine label_;  ///< from raw labels to what the network learns
  models::Scorer scorer_;
  Optimiser optimiser_;
  WeightAverage average_;
  data::ImageCache cache_;
  RunDirectory directory_;
  data::SamplerOptions sampler_{};
  Position position_{};
  EpochSums sums_{};
  std::chrono::steady_clock::time_point epoch_start_{};
};

/// Before any work: a correlation or a line over one image would fail or mean nothing after it.
void require_several(const data::Dataset& set, std::string_view name, std::string_view purpose) {
  if (set.samples.size() < 2) {
    fail_input("{}: the {} set has {} image, {} needs two or more", set.name, name, set.samples.size(), purpose);
  }
}

}  // namespace

TrainingResult train(const Recipe& recipe, const TrainingData& data, const std::filesystem::path& dir, bool resume) {
  const std::string selection = recipe.run.select == Selection::kTest ? "test" : "validation";
  data::require_images(data.train);
  require_several(data.train, "training", "its calibration line");
  if (data.selection) {
    data::require_images(*data.selection);
    require_several(*data.selection, selection, "SROCC");
  } else if (recipe.run.select != Selection::kLast) {
    fail_usage("run.select = {} needs such a set in the split (or run.select = last)", selection);
  }
  return Run(recipe, data, dir, resume).train();
}

}  // namespace steadyiqa::training
