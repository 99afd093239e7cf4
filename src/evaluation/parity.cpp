#include "evaluation/parity.h"

#include "base/error.h"
#include "models/catalogue.h"
#include "models/hash_weights.h"
#include "objective/regulariser.h"
#include "parallel/runtime.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace steadyiqa::evaluation {
namespace {

constexpr std::array<double, 4> kMos = {30, 70, 50, 10};
constexpr double kWeight = 0.001;
constexpr std::array<const char*, 8> kGradientNames = {"res.conv1.weight",
                                                       "res.layer1.0.conv2.weight",
                                                       "res.layer4.2.conv3.weight",
                                                       "res.lda1_fc.weight",
                                                       "conv1.0.weight",
                                                       "fc1w_conv.weight",
                                                       "fc5w_fc.weight",
                                                       "fc5b_fc.bias"};

std::vector<double> to_list(const torch::Tensor& tensor) {
  const auto flat = tensor.detach().to(torch::kFloat64).contiguous().view({-1});
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

/// The authors' regulariser: one-sided, squared, h in normalised space, a clean pass of its own, BatchNorm as the mode
/// has it.
objective::RegulariserOptions authors_regulariser(double step) {
  objective::RegulariserOptions options;
  options.regulariser = objective::RegulariserKind::kNt;
  options.lambda = kWeight;
  options.step = step;
  options.gradient = objective::NormGradient::kFiniteDifference;
  options.batch_norm = objective::BatchNormMode::kTrain;
  options.clean_pass = objective::CleanPass::kSeparate;
  return options;
}

nlohmann::json parameter_gradients(const models::Network& network) {
  nlohmann::json named = nlohmann::json::object();
  for (const auto& item : network.named_parameters()) {
    const bool wanted = std::find(kGradientNames.begin(), kGradientNames.end(), item.key()) != kGradientNames.end();
    if (wanted && item.value().grad().defined()) {
      named[item.key()] = item.value().grad().to(torch::kFloat64).norm().item<double>();
    }
  }
  return named;
}

double all_gradients(const models::Network& network) {
  double sum = 0;
  for (const auto& parameter : network.parameters()) {
    if (parameter.grad().defined()) {
      sum += parameter.grad().to(torch::kFloat64).square().sum().item<double>();
    }
  }
  return std::sqrt(sum);
}

nlohmann::json mode_values(models::Network& network, const torch::Tensor& x, const torch::Tensor& mos,
                           const models::Normalisation& normalisation) {
  const objective::NetworkFn forward = [&network](const torch::Tensor& input) { return network.forward(input); };
  nlohmann::json values;
  const auto at_x = models::input_gradient(forward, x);
  values["score"] = to_list(at_x.scores);
  const auto absolute = at_x.gradient.abs().to(torch::kFloat64);
  values["grad_l1_normalised"] = to_list(absolute.sum({1, 2, 3}));
  const auto std = torch::tensor({normalisation.std[0], normalisation.std[1], normalisation.std[2]}, torch::kFloat64);
  values["grad_l1_pixel"] = to_list((absolute / std.view({1, 3, 1, 1})).sum({1, 2, 3}));
  {
    torch::NoGradGuard no_grad;
    for (const auto& [key, h] : {std::pair{"finite_difference_h0.01", 0.01}, {"finite_difference_h0.001", 0.001}}) {
      values[key] = to_list((forward(x + h * at_x.gradient.sign()) - at_x.scores) / h);
    }
  }
  network.zero_grad();
  objective::ObjectiveOptions options;
  options.regulariser = authors_regulariser(0.01);
  options.channel_std = normalisation.std;
  options.fold_frozen = false;
  const auto result = objective::training_objective(network, x, mos, options, kWeight);
  objective::add_parameter_gradients(result, network);
  values["l1_loss"] = result.loss;
  values["regulariser"] = result.penalty;
  values["total_weight_0.001"] = result.total.item<double>();
  values["param_grad_l2"] = parameter_gradients(network);
  values["param_grad_l2_all"] = all_gradients(network);
  return values;
}

nlohmann::json output_values(models::Network& network, const torch::Tensor& x) {
  torch::NoGradGuard no_grad;
  const auto outputs = network.outputs(x);
  nlohmann::json values = {{"score", to_list(outputs.select(1, -1))}};
  if (outputs.size(1) > 1) {
    for (const auto& row : outputs.unbind(0)) {
      values["outputs"].push_back(to_list(row));
    }
  }
  return values;
}

double relative_difference(const nlohmann::json& value, const nlohmann::json& golden, const std::string& where) {
  if (golden.is_number()) {
    const double expected = golden.get<double>();
    const double difference = std::abs(value.get<double>() - expected) / std::max(std::abs(expected), 1e-12);
    // std::max below would pass over a NaN
    return std::isfinite(difference) ? difference : std::numeric_limits<double>::infinity();
  }
  double largest = 0;
  for (const auto& item : golden.items()) {
    const auto& key = item.key();
    const bool present = value.is_object() ? value.contains(key) : value.is_array() && std::stoul(key) < value.size();
    if (!present) {
      fail_input("golden values: {}.{} was not computed", where, key);
    }
    const auto& part = value.is_object() ? value.at(key) : value.at(std::stoul(key));
    largest = std::max(largest, relative_difference(part, item.value(), where + "." + key));
  }
  return largest;
}

}  // namespace

nlohmann::json parity_values(const ParityOptions& options) {
  const auto& info = models::find_model(options.model);
  if (!info.any_size && (options.height != info.crop || options.width != info.crop)) {
    fail_usage("model '{}' takes {}x{} inputs, not {}x{}", info.name, info.crop, info.crop, options.height,
               options.width);
  }
  auto network = models::make_network(options.model, options.backbone, options.swin_scale);
  models::fill_hash_weights(*network);
  network->eval();
  const auto x = parallel::to_layout(models::hash_input(options.seed, options.batch, options.height, options.width));
  std::vector<double> mos;
  for (std::int64_t i = 0; i < options.batch; ++i) {
    mos.push_back(kMos.at(static_cast<std::size_t>(i) % kMos.size()));
  }
  nlohmann::json values = {{"seed", options.seed}, {"batch", options.batch}, {"mos", mos}};
  values["fast_kernels"] = output_values(*network, x);
  const parallel::PlainKernels plain;
  if (options.model != "hyperiqa") {
    values["eval"] = output_values(*network, x);
    return values;
  }
  const auto labels = torch::tensor(mos, torch::kFloat64).to(torch::kFloat32);
  values["eval"] = mode_values(*network, x, labels, info.normalisation);
  models::fill_hash_weights(*network);
  network->train();
  values["train"] = mode_values(*network, x, labels, info.normalisation);
  return values;
}

double parity_difference(const nlohmann::json& values, const nlohmann::json& golden, const std::string& section) {
  if (!values.contains(section) || !golden.contains(section)) {
    fail_input("golden values: no section '{}' on both sides", section);
  }
  return relative_difference(values.at(section), golden.at(section), section);
}

}  // namespace steadyiqa::evaluation
