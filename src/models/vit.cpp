#include "models/vit.h"

#include "models/activation_checkpoint.h"
#include "models/attention.h"

#include <torch/torch.h>

#include <vector>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

constexpr std::int64_t kPatch = 8;
constexpr std::int64_t kVitHeads = 12;
constexpr std::int64_t kVitHidden = 3072;
constexpr std::int64_t kClasses = 1000;
constexpr std::size_t kBlocks = 12;
constexpr std::size_t kFirstTap = 6;  // and the three after it
constexpr double kEps = 1e-6;

nn::LayerNorm layer_norm() { return nn::LayerNorm(nn::LayerNormOptions({VitImpl::kChannels}).eps(kEps)); }

class VitBlockImpl : public nn::Module {
 public:
  VitBlockImpl() {
    norm1_ = register_module("norm1", layer_norm());
    attn_ = register_module("attn", Attention(VitImpl::kChannels, kVitHeads));
    norm2_ = register_module("norm2", layer_norm());
    mlp_ = register_module("mlp", Mlp(VitImpl::kChannels, kVitHidden));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const auto y = x + attn_(norm1_(x));
    return y + mlp_(norm2_(y));
  }

 private:
  nn::LayerNorm norm1_{nullptr}, norm2_{nullptr};
  Attention attn_{nullptr};
  Mlp mlp_{nullptr};
};
TORCH_MODULE(VitBlock);

}  // namespace

struct VitImpl::Parts {
  torch::Tensor cls_token, pos_embed;
  nn::Conv2d patches{nullptr};
  std::vector<nn::AnyModule> blocks;
};

VitImpl::VitImpl() : parts_(std::make_unique<Parts>()) {
  parts_->cls_token = register_parameter("cls_token", torch::zeros({1, 1, kChannels}));
  parts_->pos_embed = register_parameter("pos_embed", torch::zeros({1, kSide * kSide + 1, kChannels}));
  const auto patch_embed = register_module("patch_embed", std::make_shared<nn::Module>("patch_embed"));
  parts_->patches =
      patch_embed->register_module("proj", nn::Conv2d(nn::Conv2dOptions(3, kChannels, kPatch).stride(kPatch)));
  nn::ModuleList blocks;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    const VitBlock block;
    blocks->push_back(block);
    parts_->blocks.emplace_back(block);
  }
  register_module("blocks", blocks);
  register_module("norm", layer_norm());
  register_module("head", nn::Linear(kChannels, kClasses));
}

VitImpl::~VitImpl() = default;

torch::Tensor VitImpl::forward(const torch::Tensor& x) {
  const auto patches = parts_->patches(x).flatten(2).transpose(1, 2);
  const auto cls = parts_->cls_token.expand({x.size(0), -1, -1});
  auto tokens = torch::cat({cls, patches}, 1) + parts_->pos_embed;
  std::vector<torch::Tensor> taps;
  for (std::size_t i = 0; i < kFirstTap + kTaps; ++i) {
    tokens = run_block({parts_->blocks[i]}, tokens);
    if (i >= kFirstTap) {
      taps.push_back(tokens.slice(1, 1));  // without the class token
    }
  }
  return torch::cat(taps, 2);
}

}  // namespace steadyiqa::models
