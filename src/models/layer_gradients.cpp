#include "models/layer_gradients.h"

#include "base/error.h"

#include <torch/torch.h>

#include <array>
#include <utility>

namespace steadyiqa::models {
namespace {

/// The one that lives in this thread.
struct Active {
  KeptLayerGradients* one = nullptr;
};
Active& in_thread() {
  thread_local Active active;
  return active;
}

/// What a convolution is beside its tensors.
struct Geometry {
  std::vector<std::int64_t> stride, padding, dilation;
  std::int64_t groups = 1;
};

Geometry geometry_of(const torch::nn::Conv2dImpl& convolution) {
  const auto& options = convolution.options;
  const auto list = [](const torch::ExpandingArray<2>& values) {
    return std::vector<std::int64_t>(values->begin(), values->end());
  };
  // libtorch's own variant before version 2, std's since: found by its namespace.
  return {list(options.stride()), list(get<torch::ExpandingArray<2>>(options.padding())), list(options.dilation()),
          options.groups()};
}

}  // namespace

struct PassedLayer : torch::CustomClassHolder {
  Geometry geometry;
  torch::Tensor input;  ///< detached
  std::int64_t input_version = 0;
  torch::Tensor weight, bias;     ///< with their graphs
  torch::Tensor output_gradient;  ///< of the first backward pass

  /// d sum / d (input, weight, bias), as far as `wanted`, for the output's gradient.
  [[nodiscard]] std::array<torch::Tensor, 3> gradients(const torch::Tensor& of_output,
                                                       std::array<bool, 3> wanted) const {
    STEADYIQA_ASSERT(input._version() == input_version, "a convolution's input was overwritten after it");
    const std::vector<std::int64_t> bias_size = {weight.size(0)};
    const at::OptionalIntArrayRef sizes = bias.defined() ? at::OptionalIntArrayRef(bias_size) : c10::nullopt;
    auto [x, w, b] =
        at::convolution_backward(of_output, input, weight.detach(), sizes, geometry.stride, geometry.padding,
                                 geometry.dilation, /*transposed=*/false, {0, 0}, geometry.groups, wanted);
    return {std::move(x), std::move(w), std::move(b)};
  }
};

struct PassedLayers : torch::CustomClassHolder {
  std::vector<c10::intrusive_ptr<PassedLayer>> list;
};

namespace {

template <class T>
c10::intrusive_ptr<T> saved(const torch::autograd::AutogradContext& context, const char* name) {
  return c10::static_intrusive_pointer_cast<T>(context.saved_data.at(name).toCapsule());
}

/// A convolution with a graph to its input alone.
class KeptConvolution : public torch::autograd::Function<KeptConvolution> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const c10::intrusive_ptr<PassedLayer>& layer) {
    context->saved_data["layer"] = c10::IValue::make_capsule(layer);
    const auto& g = layer->geometry;
    return torch::conv2d(x, layer->weight, layer->bias, g.stride, g.padding, g.dilation, g.groups);
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& of_output) {
    const auto layer = saved<PassedLayer>(*context, "layer");
    if (!layer->output_gradient.defined()) {
      layer->output_gradient = of_output.front().detach();
    }
    return {layer->gradients(of_output.front(), {true, false, false})[0], {}};
  }
};

/// Scores whose backward pass makes the convolutions' parameter gradients of what is kept, and all others' as ever.
class Joined : public torch::autograd::Function<Joined> {
 public:
  struct Parts : torch::CustomClassHolder {
    torch::Tensor scores;  ///< with the graph from which the convolutions' parameters are missing
    std::vector<torch::Tensor> parameters;
    c10::intrusive_ptr<PassedLayers> layers;
  };
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const c10::intrusive_ptr<Parts>& parts,
                               at::TensorList /*parameters, then weights and biases: what gradients go to*/) {
    context->saved_data["parts"] = c10::IValue::make_capsule(parts);
    return parts->scores.detach().clone();
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& of_scores) {
    const auto parts = saved<Parts>(*context, "parts");
    auto found = torch::autograd::grad({parts->scores}, parts->parameters, {of_scores.front()}, /*retain_graph=*/true,
                                       /*create_graph=*/false, /*allow_unused=*/true);
    found.insert(found.begin(), torch::Tensor());  // of `parts`
    for (const auto& layer : parts->layers->list) {
      STEADYIQA_ASSERT(layer->output_gradient.defined(), "the input gradient comes before the parameters'");
      const auto share = of_scores.front().to(layer->output_gradient.scalar_type()).view({-1, 1, 1, 1});
      const bool with_bias = layer->bias.defined();
      auto [x, weight, bias] =
          layer->gradients(layer->output_gradient * share,
                           {false, layer->weight.requires_grad(), with_bias && layer->bias.requires_grad()});
      found.push_back(std::move(weight));
      if (with_bias) {
        found.push_back(std::move(bias));
      }
    }
    return found;
  }
};

}  // namespace

KeptLayerGradients::KeptLayerGradients() : layers_(c10::make_intrusive<PassedLayers>()) {
  STEADYIQA_ASSERT(in_thread().one == nullptr, "layer gradients are kept once");
  in_thread().one = this;
}

KeptLayerGradients::~KeptLayerGradients() { in_thread().one = nullptr; }

KeptLayerGradients* KeptLayerGradients::active() { return in_thread().one; }

torch::Tensor KeptLayerGradients::convolve(const torch::Tensor& x, const torch::nn::Conv2dImpl& convolution) {
  auto layer = c10::make_intrusive<PassedLayer>();
  layer->geometry = geometry_of(convolution);
  layer->input = x.detach();
  layer->input_version = layer->input._version();
  layer->weight = convolution.weight;
  layer->bias = convolution.bias;
  layers_->list.push_back(layer);
  return KeptConvolution::apply(x, layer);
}

torch::Tensor KeptLayerGradients::joined(const torch::Tensor& scores,
                                         const std::vector<torch::Tensor>& parameters) const {
  auto parts = c10::make_intrusive<Joined::Parts>();
  parts->scores = scores;
  parts->layers = layers_;
  for (const auto& parameter : parameters) {
    if (parameter.requires_grad()) {
      parts->parameters.push_back(parameter);
    }
  }
  auto receivers = parts->parameters;
  for (const auto& layer : layers_->list) {
    receivers.push_back(layer->weight);
    if (layer->bias.defined()) {
      receivers.push_back(layer->bias);
    }
  }
  return Joined::apply(parts, at::TensorList(receivers));
}

}  // namespace steadyiqa::models
