#include "evaluation/run.h"

#include "attacks/catalogue.h"
#include "attacks/problem.h"
#include "attacks/victim.h"
#include "base/base64.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "data/loader.h"
#include "evaluation/evaluate.h"
#include "evaluation/masking.h"
#include "image/image.h"
#include "models/network.h"
#include "scoring/score_set.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>

namespace steadyiqa::evaluation {
namespace {

constexpr std::int64_t kPictureSide = 256;  // pixels
constexpr std::int64_t kSensitivitySide = 48;
constexpr auto kWaitForOthers = std::chrono::milliseconds(200);
constexpr const char* kMasking = "masking report";  // as a claim, where an image stands otherwise

nlohmann::json preprocessing_of(const models::ScorerOptions& options) {
  return {{"input", options_to_json(options.input, image::input_policy_fields())},
          {"crops", options_to_json(options.crops, image::crop_policy_fields())},
          {"purify", models::purification_texts(options.purification)},
          {"compat", static_cast<int>(options.compat)},
          {"calibration", {options.scale.calibration.slope, options.scale.calibration.intercept}}};
}

std::vector<Member> members_of(const data::Dataset& dataset) {
  const auto mos = scoring::mos_0_100(dataset);
  std::vector<Member> members;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    members.push_back({sha256_file(dataset.samples[i].path), dataset.samples[i].name, mos[i]});
  }
  return members;
}

/// Of |gradient|, each pixel times the room that it has on the way that raises (sign +1) or lowers the score.
double linear_change(const torch::Tensor& pixels, const torch::Tensor& gradient, double epsilon, double sign) {
  const auto rises = (gradient * sign) > 0;
  const auto room = torch::where(rises, 1.0 - pixels, pixels).clamp_max(epsilon);
  return (gradient.abs() * room).sum(torch::kFloat64).item<double>();
}

/// The middle of the first item, kPictureSide at most, base64 PNG.
std::string middle_png(const torch::Tensor& items) {
  const auto side = [&](std::int64_t dim) { return std::min<std::int64_t>(items.size(dim), kPictureSide); };
  const auto part =
      items[0].narrow(1, (items.size(2) - side(2)) / 2, side(2)).narrow(2, (items.size(3) - side(3)) / 2, side(3));
  return base64(image::encode_png(data::to_image(part)));
}

/// Where the score is steep: |gradient| summed over channels, averaged over blocks, square root for the eye, white the
/// steepest.
std::vector<std::byte> sensitivity_png(const torch::Tensor& gradient) {
  const auto longest = std::max(gradient.size(2), gradient.size(3));
  const auto scaled = [&](std::int64_t size) {
    return std::max<std::int64_t>(1, size * std::min(kSensitivitySide, longest) / longest);
  };
  const auto map = torch::adaptive_avg_pool2d(gradient.abs().sum(1, /*keepdim=*/true),
                                              {scaled(gradient.size(2)), scaled(gradient.size(3))});
  const double largest = map.max().item<double>();
  const auto shown = largest > 0 ? (map / largest).sqrt() : map;
  return image::encode_png(data::to_image(shown[0].expand({3, -1, -1}).contiguous()));
}

void stop_where_interrupted() {
  if (interrupted()) {
    throw Error(ErrorKind::kInterrupted, "interrupted; run it again to go on");
  }
}

/// For what another process is at.
void wait_until(const std::function<bool()>& happened) {
  while (!happened()) {
    stop_where_interrupted();
    std::this_thread::sleep_for(kWaitForOthers);
  }
}

/// One model, one set, one protocol at work.
class Filling {
 public:
  Filling(ResultStore& store, const checkpoint::LoadedModel& model, const std::string& model_path,
          const data::Dataset& dataset, const Protocol& protocol, const FillOptions& options)
      : store_(store), model_(model), dataset_(dataset), protocol_(protocol), options_(options) {
    const auto& scorer = model.scorer;
    StoredModel stored{describe(model, model_path, dataset), preprocessing_of(scorer.options()),
                       raw_to_0_100(scorer, dataset.scale)};
    plan_ = {.protocol = protocol.name,
             .protocol_digest = protocol.digest,
             .protocol_document = protocol.document,
             .model = stored.key(),
             .image_set = stored.head.data_digest,
             .data_name = dataset.name,
             .attacks = {},
             .bounds = protocol.bounds};
    for (const auto& attack : protocol.attacks) {
      require_midpoint(model, model_path, attack);
      made_.push_back(attacks::make_attack(attack.attack));
      warn_of_caveats(*made_.back(), model.sha256);
      warn_where_not_adaptive(model_path, scorer.options(), attack);
      const bool on_set = static_cast<bool>(attacks::find_attack(attack.attack.name).targets);
      plan_.attacks.push_back({.description = describe(attack),
                               .seed = attack.seed,
                               .adaptive = adaptive_text(scorer.options(), attack),
                               .context = on_set ? plan_.image_set : ""});
    }
    members_ = members_of(dataset);
    store.begin(plan_, stored, members_);
    targets_.resize(made_.size());
  }

  StoredPlan run() {
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (static_cast<std::int64_t>(i) % options_.shard.count == options_.shard.index && !is_done(i)) {
        left.push_back(i);
      }
    }
    while (!left.empty()) {
      const auto before = left.size();
      pass(left);
      std::erase_if(left, [&](std::size_t i) { return is_done(i); });
      stop_where_interrupted();
      if (left.size() == before) {  // all in the hands of others
        wait_until([&] { return std::ranges::any_of(left, [&](std::size_t i) { return is_done(i) || is_free(i); }); });
      }
    }
    return plan_;
  }

 private:
  [[nodiscard]] bool is_done(std::size_t i) const {
    const auto& image = members_[i].image;
    return store_.clean(plan_.model, image) &&
           std::ranges::all_of(plan_.attacks,
                               [&](const auto& a) { return store_.has_attacked(plan_.model, image, a); }) &&
           missing_bounds(image).empty();
  }

  [[nodiscard]] bool is_free(std::size_t i) const {
    const bool mine = store_.claim(plan_.model, members_[i].image);
    if (mine) {
      store_.release(plan_.model, members_[i].image);
    }
    return mine;
  }

  [[nodiscard]] std::vector<double> missing_bounds(const std::string& image) const {
    if (plan_.bounds.empty()) {
      return {};
    }
    auto missing = plan_.bounds;
    for (const auto& row : store_.bounds(plan_.model, image)) {
      std::erase(missing, row.epsilon);
    }
    return missing;
  }

  /// Goes through these images once; those that others have are left out.
  void pass(const std::vector<std::size_t>& images) {
    std::vector<std::filesystem::path> paths;
    paths.reserve(images.size());
    for (const auto i : images) {
      paths.push_back(dataset_.samples[i].path);
    }
    const auto orientation = model_.scorer.options().input.orientation;
    scoring::for_each_image(paths, orientation, "evaluating",
                            [&](std::int64_t place, const Result<torch::Tensor>& decoded) {
                              const auto index = images[static_cast<std::size_t>(place)];
                              const auto& image = members_[index].image;
                              if (is_done(index) || !store_.claim(plan_.model, image)) {
                                return;
                              }
                              fill_image(index, decoded.value());
                              store_.release(plan_.model, image);
                            });
  }

  void fill_image(std::size_t index, const torch::Tensor& pixels) {
    const auto& image = members_[index].image;
    auto base = store_.clean(plan_.model, image);
    const auto missing = missing_bounds(image);
    if (!base || !missing.empty()) {
      const auto clean = clean_image(model_.scorer, members_[index].name, members_[index].mos, pixels);
      base = clean.result;
      for (const double epsilon : missing) {
        store_.put_bound(plan_.model, image, first_order_bound(model_.scorer, pixels, clean.gradient, epsilon));
      }
      if (options_.pictures) {
        store_.put_sensitivity(plan_.model, image, sensitivity_png(clean.gradient));
      }
      store_.put_clean(plan_.model, image, *base);
    }
    for (std::size_t a = 0; a < made_.size(); ++a) {
      if (!store_.has_attacked(plan_.model, image, plan_.attacks[a])) {
        attack_image(index, a, pixels, *base);
      }
    }
  }

  void attack_image(std::size_t index, std::size_t a, const torch::Tensor& pixels, const ImageResult& clean) {
    const auto& image = members_[index].image;
    const auto& attack = plan_.attacks[a];
    const auto start = std::chrono::steady_clock::now();
    const auto outcome = made_[a]->run(model_.scorer, pixels, options_for(a, index));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    auto result = clean;
    add_attack(result, outcome, model_.scorer.options().scale.calibration);
    const double change = std::abs(result.attacked - result.clean);
    // The picture first: whoever finds the row must not have to look for the picture.
    if (options_.pictures && store_.wants_picture(plan_.model, attack, image, change)) {
      store_.put_picture(plan_.model, attack, image,
                         {image, change, middle_png(outcome.clean), middle_png(outcome.attacked)});
    }
    store_.put_attacked(plan_.model, image, attack, result, seconds);
    if (options_.watch) {
      options_.watch(index, a, pixels, outcome);
    }
  }

  /// With the score to reach, where the attack is one on the whole set.
  attacks::AttackOptions options_for(std::size_t a, std::size_t index) {
    auto options = protocol_.attacks[a];
    if (!plan_.attacks[a].context.empty()) {
      if (targets_[a].empty()) {
        targets_[a] = attack_targets(model_.scorer, dataset_, options);
      }
      options.target = targets_[a].at(index);
    }
    return options;
  }

  ResultStore& store_;
  const checkpoint::LoadedModel& model_;
  const data::Dataset& dataset_;
  const Protocol& protocol_;
  const FillOptions& options_;
  StoredPlan plan_;
  std::vector<Member> members_;
  std::vector<std::unique_ptr<attacks::Attack>> made_;
  std::vector<std::vector<double>> targets_;
};

}  // namespace

Shard Shard::parse(const std::string& text) {
  const auto slash = text.find('/');
  const auto index = slash == std::string::npos ? std::nullopt : parse_number(text.substr(0, slash));
  const auto count = slash == std::string::npos ? std::nullopt : parse_number(text.substr(slash + 1));
  const auto whole = [](double value) { return value == std::floor(value); };
  constexpr double kMost = 1e6;
  if (!index || !count || !whole(*index) || !whole(*count) || *index < 1 || *index > *count || *count > kMost) {
    fail_usage("--shard {}: expected i/N with 1 <= i <= N, such as 2/4", text);
  }
  return {static_cast<std::int64_t>(*index) - 1, static_cast<std::int64_t>(*count)};
}

BoundRow first_order_bound(const models::Scorer& scorer, const torch::Tensor& pixels, const torch::Tensor& gradient,
                           double epsilon) {
  const torch::NoGradGuard no_grad;
  BoundRow row{.epsilon = epsilon,
               .bound_up = linear_change(pixels, gradient, epsilon, 1.0),
               .bound_down = linear_change(pixels, gradient, epsilon, -1.0)};
  attacks::ScorerVictim victim(scorer, attacks::Unit::kImage, attacks::Adaptive::kOn, attacks::kEotDraws);
  const auto pgd = attacks::make_attack(attacks::AttackSpec::parse("ifgsm:steps=10"));
  const double clean = scorer.calibrate(scorer.raw(pixels)[0].item<double>());
  for (const double sign : {1.0, -1.0}) {
    attacks::Problem problem(victim, pixels, torch::full({1}, sign), torch::Tensor(), epsilon, {0});
    const auto proposal = pgd->propose(problem);
    const double change = sign * (scorer.calibrate(scorer.raw(proposal)[0].item<double>()) - clean);
    (sign > 0 ? row.change_up : row.change_down) = change;
  }
  return row;
}

StoredPlan fill(ResultStore& store, const checkpoint::LoadedModel& model, const std::string& model_path,
                const data::Dataset& dataset, const Protocol& protocol, const FillOptions& options) {
  const auto plan = Filling(store, model, model_path, dataset, protocol, options).run();
  if (protocol.masking_images > 0 && options.shard.index == 0) {
    const auto is_there = [&] { return !store.masking(plan.key()).empty(); };
    bool mine = false;
    wait_until([&] { return is_there() || (mine = store.claim(plan.key(), kMasking)); });
    if (!is_there()) {
      auto first = dataset;
      first.samples.resize(std::min(first.samples.size(), static_cast<std::size_t>(protocol.masking_images)));
      store.put_masking(plan.key(), masking_report(model, model_path, first, {.epsilon = protocol.masking_epsilon}));
    }
    if (mine) {
      store.release(plan.key(), kMasking);
    }
  }
  return plan;
}

}  // namespace steadyiqa::evaluation
