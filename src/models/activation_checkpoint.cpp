#include "models/activation_checkpoint.h"

#include "base/error.h"
#include "models/conv_norm.h"

#include <torch/torch.h>

#include <memory>
#include <utility>

namespace steadyiqa::models {
namespace {

/// Whether one lives in this thread.
bool& checkpointing() {
  thread_local bool active = false;
  return active;
}

torch::Tensor run_layers(const std::vector<torch::nn::AnyModule>& layers, torch::Tensor x) {
  for (auto layer : layers) {
    x = layer.forward(std::move(x));
  }
  return x;
}

/// A block's layers as a forward pass found them: guards (FoldedBatchNorm, LoweredTrunk, FrozenBatchNorm) end before
/// the backward pass comes.
class RecordedBlock : public torch::CustomClassHolder {
 public:
  explicit RecordedBlock(std::vector<torch::nn::AnyModule> layers) : layers_(std::move(layers)) {
    for (const auto& layer : layers_) {
      for (const auto& module : layer.ptr()->modules()) {
        record(module);
      }
    }
  }

  [[nodiscard]] torch::Tensor first(const torch::Tensor& x) const { return run_layers(layers_, x); }
  [[nodiscard]] torch::Tensor again(const torch::Tensor& x) {
    exchange();
    const auto y = run_layers(layers_, x);
    exchange();
    return y;
  }
  /// What the block's gradients go to.
  [[nodiscard]] const std::vector<torch::Tensor>& weights() const { return weights_; }

 private:
  struct Conv {
    std::shared_ptr<torch::nn::Conv2dImpl> layer;
    torch::Tensor weight, bias;
  };
  struct Norm {
    std::shared_ptr<ConvNormImpl> layer;
    ConvNormImpl::State state;
  };

  void record(const std::shared_ptr<torch::nn::Module>& module) {
    if (auto conv = std::dynamic_pointer_cast<torch::nn::Conv2dImpl>(module)) {
      weights_.push_back(conv->weight);
      if (conv->bias.defined()) {
        weights_.push_back(conv->bias);
      }
      convs_.push_back({conv, conv->weight, conv->bias});
      return;
    }
    auto norm = std::dynamic_pointer_cast<ConvNormImpl>(module);
    if (norm != nullptr) {
      auto state = norm->state();
      state.keeps_statistics = false;
      norms_.push_back({norm, state});
    }
    if (norm == nullptr || !norm->state().folded) {  // else they are behind the convolution's weights, not beside them
      const auto own = module->parameters(/*recurse=*/false);
      weights_.insert(weights_.end(), own.begin(), own.end());
    }
  }
  void exchange() {
    for (auto& [layer, weight, bias] : convs_) {
      std::swap(layer->weight, weight);
      std::swap(layer->bias, bias);
    }
    for (auto& [layer, state] : norms_) {
      state = layer->exchange(state);
    }
  }

  std::vector<torch::nn::AnyModule> layers_;
  std::vector<Conv> convs_;
  std::vector<Norm> norms_;
  std::vector<torch::Tensor> weights_;
};

class Checkpointed : public torch::autograd::Function<Checkpointed> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const c10::intrusive_ptr<RecordedBlock>& block, const torch::Tensor& x,
                               at::TensorList /*weights: what gradients go to*/) {
    context->saved_data["block"] = c10::IValue::make_capsule(block);
    context->save_for_backward({x});
    return block->first(x);
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& of_y) {
    const auto block = c10::static_intrusive_pointer_cast<RecordedBlock>(context->saved_data.at("block").toCapsule());
    auto inputs = block->weights();
    inputs.insert(inputs.begin(), context->get_saved_variables().front().detach());
    inputs.front().requires_grad_(context->needs_input_grad(0));
    std::vector<torch::Tensor> wanted;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (context->needs_input_grad(i)) {
        wanted.push_back(inputs[i]);
      }
    }
    const torch::AutoGradMode enable(true);
    auto found = torch::autograd::grad({block->again(inputs.front())}, wanted, {of_y.front()}, /*retain_graph=*/false,
                                       /*create_graph=*/false, /*allow_unused=*/true);
    torch::autograd::tensor_list gradients(1);  // of `block`: none
    auto next = found.begin();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      gradients.push_back(context->needs_input_grad(i) ? std::move(*next++) : torch::Tensor());
    }
    return gradients;
  }
};

}  // namespace

CheckpointedActivations::CheckpointedActivations() {
  STEADYIQA_ASSERT(!checkpointing(), "activations are checkpointed once");
  checkpointing() = true;
}

CheckpointedActivations::~CheckpointedActivations() { checkpointing() = false; }

torch::Tensor run_block(const std::vector<torch::nn::AnyModule>& layers, const torch::Tensor& x) {
  if (!checkpointing() || !torch::GradMode::is_enabled()) {
    return run_layers(layers, x);
  }
  const auto block = c10::make_intrusive<RecordedBlock>(layers);
  return Checkpointed::apply(block, x, at::TensorList(block->weights()));
}

torch::Tensor run_blocks(torch::nn::Sequential layers, std::size_t layers_per_block, torch::Tensor x) {
  std::vector<torch::nn::AnyModule> block;
  for (const auto& layer : *layers) {
    block.push_back(layer);
    if (block.size() == layers_per_block) {
      x = run_block(std::exchange(block, {}), x);
    }
  }
  return block.empty() ? x : run_block(block, x);
}

}  // namespace steadyiqa::models
