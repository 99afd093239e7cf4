#include "models/scorer.h"

#include "base/error.h"
#include "models/cost.h"
#include "models/resize.h"
#include "parallel/device.h"
#include "parallel/runtime.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <vector>

namespace steadyiqa::models {
namespace {

torch::Tensor channel_constant(const std::array<double, 3>& values) {
  return torch::tensor({values[0], values[1], values[2]}, torch::kFloat32).view({1, 3, 1, 1});
}

/// The image so enlarged that the crop fits.
torch::Tensor enlarged(const torch::Tensor& pixels, std::int64_t crop, image::SmallImages rule) {
  const auto larger =
      image::enlargement({static_cast<int>(pixels.size(3)), static_cast<int>(pixels.size(2))}, crop, rule);
  if (!larger) {
    return pixels;
  }
  if (larger->factor) {
    const std::array<double, 2> factors = {*larger->factor, *larger->factor};
    return torch::upsample_bilinear2d(pixels, c10::nullopt, false, c10::ArrayRef<double>(factors));
  }
  return torch::upsample_bilinear2d(pixels, {larger->size.height, larger->size.width}, false);
}

using CropFunction = std::function<torch::Tensor(const torch::Tensor&)>;

/// Crops in parts that pass through the network together, of about one size: few crops, so that activations stay in the
/// processor's caches and memory does not grow with their number. Rounding depends on the parts, so they do not depend
/// on the machine.
std::vector<torch::Tensor> in_parts(const torch::Tensor& crops, Precision precision) {
  // Values of half the size: twice as many fit, and a trunk's weights are laid out anew for each part.
  const int on_processor = precision == Precision::kBfloat16 ? 8 : 4;
  constexpr int kElsewhere = 32;  // few crops would leave a GPU idle
  const std::int64_t pixels_at_once = (parallel::device().is_cpu() ? on_processor : kElsewhere) * 224 * 224;
  const auto most = std::max<std::int64_t>(1, pixels_at_once / (crops.size(2) * crops.size(3)));
  return crops.tensor_split((crops.size(0) + most - 1) / most);
}

/// Scores of crops, with their gradients taken part by part on the way: a crop's score depends on that crop alone, so
/// nothing but those gradients has to be kept for the backward pass.
class ScoresInParts : public torch::autograd::Function<ScoresInParts> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& crops,
                               const CropFunction& score, Precision precision) {
    std::vector<torch::Tensor> scores;
    std::vector<torch::Tensor> gradients;
    for (const auto& part : in_parts(crops, precision)) {
      auto one = input_gradient(score, part);
      scores.push_back(std::move(one.scores));
      gradients.push_back(std::move(one.gradient));
    }
    context->save_for_backward({torch::cat(gradients)});
    return torch::cat(scores);
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& of_scores) {
    return {context->get_saved_variables().front() * of_scores.front().view({-1, 1, 1, 1}), {}, {}};
  }
};

}  // namespace

std::string preprocessing_text(const ScorerOptions& options) {
  const auto input = options_to_json(options.input, image::input_policy_fields());
  const auto crops = options_to_json(options.crops, image::crop_policy_fields());
  std::string text;
  if (!options.purification.empty()) {
    text = fmt::format("purify {}; ", fmt::join(purification_texts(options.purification), " + "));
  }
  if (options.input.resize != "none") {
    text += fmt::format("resize {} {}, ", options.input.resize, input.at("resize-filter").get<std::string>());
  }
  const auto kind = crops.at("crops").get<std::string>();
  if (options.crops.kind == image::CropKind::kWhole) {
    text += "whole image";
  } else if (options.crops.kind == image::CropKind::kCentre) {
    text += fmt::format("centre of {}px", options.crop);  // one, whatever the count
  } else {
    text += fmt::format("{} {} of {}px", kind, options.crops.count, options.crop);
  }
  return text + (options.crops.pooling == image::Pooling::kWeighted ? ", weighted pooling" : "");
}

ReportedScale reported_scale(const ScorerOptions& options) {
  const auto& scale = options.scale;
  if (options.compat == Compat::kOurs) {
    return {scale.name, scale.calibration};
  }
  if (scale.native) {
    const auto& labels = scale.native->labels;
    return {labels.name, scale.native->line, labels.min, labels.max,
            labels.direction == stats::Direction::kHigherIsBetter};
  }
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  return {"network output, on the scale of its training labels", {}, unknown, unknown, scale.calibration.slope >= 0};
}

Scorer::Scorer(std::shared_ptr<Network> network, ScorerOptions options) : network_(std::move(network)) {
  network_->to(parallel::device());
  network_->eval();
  products_ = mostly_products(*network_);
  set_options(std::move(options));
}

void Scorer::set_options(ScorerOptions options) {
  check(options.crops);
  check(options.purification);
  if (options.crops.kind == image::CropKind::kWhole && !find_model(options.model).any_size) {
    fail_usage("model '{}' takes crops of {} pixels, not whole images", options.model, options.crop);
  }
  resize_ = image::resize_rule(options.input);
  mean_ = channel_constant(options.normalisation.mean).to(parallel::device());
  std_ = channel_constant(options.normalisation.std).to(parallel::device());
  options_ = std::move(options);
}

torch::Tensor Scorer::normalise(const torch::Tensor& pixels) const {
  return parallel::to_layout((parallel::moved(pixels, mean_.device()) - mean_) / std_);
}

torch::Tensor Scorer::crops(const torch::Tensor& pixels) const {
  STEADYIQA_ASSERT(pixels.dim() == 4 && pixels.size(0) == 1 && pixels.size(1) == 3,
                   "crops() takes one [1,3,H,W] image");
  const bool whole = options_.crops.kind == image::CropKind::kWhole;
  const auto crop = static_cast<std::int64_t>(options_.crop);
  const auto image = whole ? enlarged(resized(pixels), image::kSmallestWholeSide, image::SmallImages::kToCrop)
                           : enlarged(resized(pixels), crop, options_.input.small_images);
  if (whole) {
    return image;
  }
  std::vector<torch::Tensor> parts;
  for (const auto& [y, x] : image::crop_places(options_.crops, crop, image.size(2), image.size(3))) {
    parts.push_back(image.slice(2, y, y + crop).slice(3, x, x + crop));
  }
  return torch::cat(parts, 0);
}

torch::Tensor Scorer::resized(const torch::Tensor& pixels) const {
  auto image = pixels;
  for (const auto& step : resize_.steps) {
    const auto size = image::size_after(step, {static_cast<int>(image.size(3)), static_cast<int>(image.size(2))});
    image = resize_straight_through(image, size.height, size.width, resize_.filter);
  }
  return image;
}

void Scorer::fold_batch_norm() {
  const torch::NoGradGuard no_grad;
  folded_ = std::make_shared<FoldedBatchNorm>(*network_);
}

void Scorer::use_precision(Precision precision) {
  check_precision(precision, *network_);
  const torch::NoGradGuard no_grad;
  lowered_.reset();
  precision_ = precision;
  lowered_ = std::make_shared<LoweredTrunk>(*network_, precision);
}

torch::Tensor Scorer::raw_of_crops(const torch::Tensor& crops) const {
  STEADYIQA_ASSERT(!batch_norm_training(*network_), "a Scorer's network is in eval mode");
  const parallel::OneBlasThread one_thread(!products_);
  const auto score = [this](const torch::Tensor& part) {
    return parallel::moved(network_->forward(normalise(part)), part.device());
  };
  if (torch::GradMode::is_enabled() && crops.requires_grad()) {
    return ScoresInParts::apply(crops, CropFunction(score), precision_);
  }
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> scores;
  for (const auto& part : in_parts(crops, precision_)) {
    scores.push_back(score(part));
  }
  return torch::cat(scores);
}

torch::Tensor Scorer::raw_of_image(const torch::Tensor& pixels) const {
  const auto parts = crops(pixels);
  if (options_.crops.pooling == image::Pooling::kMean) {
    return raw_of_crops(parts).mean();
  }
  const auto [weighted, weight] = network_->forward_weighted(normalise(parts));
  constexpr double kNoWeight = 1e-8;  // pyiqa's guard
  return parallel::moved(weighted.sum() / (weight.sum() + kNoWeight), pixels.device());
}

torch::Tensor Scorer::raw_of_draw(const torch::Tensor& pixels, std::int64_t draw) const {
  std::vector<torch::Tensor> scores;
  for (std::int64_t i = 0; i < pixels.size(0); ++i) {
    scores.push_back(raw_of_image(purified(pixels.slice(0, i, i + 1), options_.purification, draw)));
  }
  return torch::stack(scores);
}

torch::Tensor Scorer::raw(const torch::Tensor& pixels) const {
  std::vector<torch::Tensor> scores;
  for (std::int64_t draw = 0; draw < draws(options_.purification); ++draw) {
    scores.push_back(raw_of_draw(pixels, draw));
  }
  return scores.size() == 1 ? scores.front() : torch::stack(scores).mean(0);
}

torch::Tensor Scorer::score(const torch::Tensor& pixels) const {
  const auto& line = options_.scale.calibration;
  return raw(pixels) * line.slope + line.intercept;
}

}  // namespace steadyiqa::models
