#include "models/swin.h"

#include "models/attention.h"

#include <torch/torch.h>

#include <array>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

constexpr std::int64_t kMapSide = 28;
constexpr std::int64_t kWindow = 4;
constexpr std::int64_t kShift = 2;
constexpr std::int64_t kWindows = kMapSide / kWindow;  // along each side
constexpr std::int64_t kWindowHeads = 4;
constexpr std::int64_t kMlpHidden = 768;
constexpr double kMasked = -100;
constexpr double kSwinDropout = 0.1;
constexpr std::array<double, 4> kDropPath = {0, 0.1 / 3, 0.2 / 3, 0.1};  // of the stage's blocks in order

/// [B,28,28,C] <-> [B*49,16,C]: the same permutation both ways.
torch::Tensor to_windows(const torch::Tensor& x) {
  return x.view({-1, kWindows, kWindow, kWindows, kWindow, x.size(-1)})
      .transpose(2, 3)
      .reshape({-1, kWindow * kWindow, x.size(-1)});
}
torch::Tensor from_windows(const torch::Tensor& x) {
  return x.view({-1, kWindows, kWindows, kWindow, kWindow, x.size(-1)})
      .transpose(2, 3)
      .reshape({-1, kMapSide, kMapSide, x.size(-1)});
}

torch::Tensor to_map(const torch::Tensor& tokens) {
  return tokens.transpose(1, 2).reshape({tokens.size(0), tokens.size(2), kMapSide, kMapSide});
}
torch::Tensor to_tokens(const torch::Tensor& map) { return map.flatten(2).transpose(1, 2); }

/// Drops whole branches of single images (Huang et al. 2016), the others scaled up for it.
torch::Tensor drop_path(const torch::Tensor& x, double rate, bool training) {
  if (!training || rate == 0) {
    return x;
  }
  return x * torch::empty({x.size(0), 1, 1}, x.options()).bernoulli_(1 - rate).div_(1 - rate);
}

class WindowAttentionImpl : public AttentionImpl {
 public:
  explicit WindowAttentionImpl(std::int64_t channels) : AttentionImpl(channels, kWindowHeads) {
    constexpr std::int64_t kDistances = (2 * kWindow - 1) * (2 * kWindow - 1);
    table_ = register_parameter("relative_position_bias_table", torch::zeros({kDistances, kWindowHeads}));
    index_ = register_buffer("relative_position_index", relative_position_index(kWindow));
  }
  /// mask: [49,16,16] or undefined.
  torch::Tensor forward(const torch::Tensor& windows, const torch::Tensor& mask) {
    auto bias = table_.index_select(0, index_.flatten()).t().reshape({1, kWindowHeads, index_.size(0), index_.size(1)});
    return AttentionImpl::forward(windows, mask.defined() ? bias + mask.unsqueeze(1) : bias);
  }

 private:
  torch::Tensor table_, index_;
};
TORCH_MODULE(WindowAttention);

class SwinBlockImpl : public nn::Module {
 public:
  SwinBlockImpl(std::int64_t channels, bool shifted, double drop_path) : drop_path_(drop_path) {
    norm1_ = register_module("norm1", nn::LayerNorm(nn::LayerNormOptions({channels})));
    attn_ = register_module("attn", WindowAttention(channels));
    norm2_ = register_module("norm2", nn::LayerNorm(nn::LayerNormOptions({channels})));
    mlp_ = register_module("mlp", Mlp(channels, kMlpHidden));
    if (shifted) {
      mask_ = register_buffer("attn_mask", shifted_window_mask(kMapSide, kWindow, kShift));
    }
  }
  /// tokens: [B,784,C].
  torch::Tensor forward(const torch::Tensor& tokens) {
    auto map = norm1_(tokens).view({-1, kMapSide, kMapSide, tokens.size(2)});
    if (mask_.defined()) {
      map = torch::roll(map, {-kShift, -kShift}, {1, 2});
    }
    map = from_windows(attn_(to_windows(map), mask_));
    if (mask_.defined()) {
      map = torch::roll(map, {kShift, kShift}, {1, 2});
    }
    const auto x = tokens + drop_path(map.view(tokens.sizes()), drop_path_, is_training());
    return x + drop_path(mlp_(norm2_(x)), drop_path_, is_training());
  }

 private:
  double drop_path_;
  nn::LayerNorm norm1_{nullptr}, norm2_{nullptr};
  WindowAttention attn_{nullptr};
  Mlp mlp_{nullptr};
  torch::Tensor mask_;  ///< defined = shifted windows
};
TORCH_MODULE(SwinBlock);

class LayerImpl : public nn::Module {
 public:
  LayerImpl(std::int64_t channels, std::size_t first_block) {
    blocks_ = register_module("blocks", nn::Sequential(SwinBlock(channels, false, kDropPath.at(first_block)),
                                                       SwinBlock(channels, true, kDropPath.at(first_block + 1))));
    conv_ = register_module("conv", nn::Conv2d(nn::Conv2dOptions(channels, channels, 3).padding(1)));
  }
  torch::Tensor forward(const torch::Tensor& tokens) {
    return to_tokens(torch::relu(conv_(to_map(blocks_->forward(tokens)))));
  }

 private:
  nn::Sequential blocks_{nullptr};
  nn::Conv2d conv_{nullptr};
};
TORCH_MODULE(Layer);

}  // namespace

torch::Tensor relative_position_index(std::int64_t window) {
  const auto places = torch::arange(window * window);
  const auto y = torch::div(places, window, "floor");
  const auto x = places.remainder(window);
  const auto difference = [window](const torch::Tensor& t) { return t.unsqueeze(1) - t.unsqueeze(0) + window - 1; };
  return difference(y) * (2 * window - 1) + difference(x);
}

torch::Tensor shifted_window_mask(std::int64_t side, std::int64_t window, std::int64_t shift) {
  // Along each axis: places that are not moved across an edge into a window of others, those of the last window that
  // stay, those that came around.
  const auto places = torch::arange(side);
  const auto band = places.ge(side - window).to(torch::kInt64) + places.ge(side - shift).to(torch::kInt64);
  const auto windows = side / window;
  const auto ids = (band.unsqueeze(1) * 3 + band.unsqueeze(0))
                       .view({windows, window, windows, window})
                       .transpose(1, 2)
                       .reshape({windows * windows, window * window});
  return ids.unsqueeze(1).ne(ids.unsqueeze(2)).to(torch::kFloat32) * kMasked;
}

struct SwinStageImpl::Parts {
  double scale = 0;
  nn::Dropout drop{nullptr};
  std::array<Layer, 2> layers{Layer{nullptr}, Layer{nullptr}};
};

SwinStageImpl::SwinStageImpl(std::int64_t channels, double scale) : parts_(std::make_unique<Parts>()) {
  parts_->scale = scale;
  parts_->drop = register_module("pos_drop", nn::Dropout(kSwinDropout));
  parts_->layers = {Layer(channels, 0), Layer(channels, 2)};
  register_module("layers", nn::Sequential(parts_->layers[0], parts_->layers[1]));
  register_module("downsample", nn::Conv2d(nn::Conv2dOptions(channels, channels, 3).stride(2).padding(1)));
}

SwinStageImpl::~SwinStageImpl() = default;

torch::Tensor SwinStageImpl::forward(const torch::Tensor& x) {
  auto tokens = to_tokens(parts_->drop(x));
  for (auto& layer : parts_->layers) {
    tokens = parts_->scale * layer(tokens) + tokens;
  }
  return to_map(tokens);
}

}  // namespace steadyiqa::models
