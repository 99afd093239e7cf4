#include "models/maniqa.h"

#include "models/attention.h"
#include "models/initialise.h"
#include "models/swin.h"
#include "models/vit.h"

#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

constexpr std::int64_t kSide = VitImpl::kSide;
constexpr std::int64_t kPlaces = kSide * kSide;
constexpr std::int64_t kTapped = VitImpl::kChannels * VitImpl::kTaps;
constexpr std::int64_t kWide = 768;
constexpr std::int64_t kNarrow = 384;
constexpr double kHeadDropout = 0.1;

nn::Sequential channel_attention() { return nn::Sequential(ChannelAttention(kPlaces), ChannelAttention(kPlaces)); }

template <class Activation>
nn::Sequential head(Activation activation) {
  return nn::Sequential(nn::Linear(kNarrow, kNarrow), nn::ReLU(), nn::Dropout(kHeadDropout), nn::Linear(kNarrow, 1),
                        activation);
}

class Maniqa : public Network {
 public:
  explicit Maniqa(double swin_scale) {
    vit_ = register_module("vit", Vit());
    tablock1_ = register_module("tablock1", channel_attention());
    conv1_ = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(kTapped, kWide, 1)));
    swin1_ = register_module("swintransformer1", SwinStage(kWide, swin_scale));
    tablock2_ = register_module("tablock2", channel_attention());
    conv2_ = register_module("conv2", nn::Conv2d(nn::Conv2dOptions(kWide, kNarrow, 1)));
    swin2_ = register_module("swintransformer2", SwinStage(kNarrow, swin_scale));
    fc_score_ = register_module("fc_score", head(nn::ReLU()));
    fc_weight_ = register_module("fc_weight", head(nn::Sigmoid()));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    const auto parts = forward_weighted(x);
    return parts.weighted / parts.weight;
  }
  WeightedScores forward_weighted(const torch::Tensor& x) override {
    TORCH_CHECK(x.dim() == 4 && x.size(1) == 3 && x.size(2) == 224 && x.size(3) == 224,
                "MANIQA takes [N,3,224,224], got ", x.sizes());
    const auto as_map = [](const torch::Tensor& y) { return y.view({y.size(0), y.size(1), kSide, kSide}); };
    const auto tapped = vit_(x).transpose(1, 2).contiguous();  // [N,3072,784]
    const auto wide = swin1_(conv1_(as_map(tablock1_->forward(tapped))));
    const auto narrow = swin2_(conv2_(as_map(tablock2_->forward(wide.flatten(2)))));
    const auto tokens = narrow.flatten(2).transpose(1, 2);  // [N,784,384]
    const auto scores = fc_score_->forward(tokens).squeeze(2);
    const auto weights = fc_weight_->forward(tokens).squeeze(2);
    return {(scores * weights).sum(1), weights.sum(1)};
  }

  [[nodiscard]] std::string trunk_prefix() const override { return "vit."; }

 private:
  Vit vit_{nullptr};
  nn::Sequential tablock1_{nullptr}, tablock2_{nullptr};
  nn::Conv2d conv1_{nullptr}, conv2_{nullptr};
  SwinStage swin1_{nullptr}, swin2_{nullptr};
  nn::Sequential fc_score_{nullptr}, fc_weight_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_maniqa(double swin_scale) { return std::make_shared<Maniqa>(swin_scale); }

void initialise_maniqa(Network& network, std::uint64_t seed) {
  initialise(network, seed, [](const std::string& module) -> LayerInit {
    if (module.starts_with("vit.") && module != "vit.patch_embed.proj") {
      return {WeightInit::kNarrowNormal, BiasInit::kZero};
    }
    return {};
  });
  for (const auto& item : network.named_parameters()) {
    const auto& name = item.key();
    if (name == "vit.cls_token" || name == "vit.pos_embed" || name.ends_with("relative_position_bias_table")) {
      initialise_narrow(item.value(), seed, name);
    }
  }
}

}  // namespace steadyiqa::models
