#include "models/hyperiqa.h"

#include "models/initialise.h"
#include "models/layers.h"

#include <torch/torch.h>

namespace steadyiqa::models {
namespace {

namespace nn = torch::nn;

constexpr std::int64_t kTargetIn = 224;  // length of the LDA vector v
constexpr std::array<std::int64_t, 4> kTargetWidths = {112, 56, 28,
                                                       14};  // outputs of the target network's hidden layers
constexpr std::int64_t kHyperChannels = 112;
constexpr std::array<std::int64_t, 3> kLdaChannels = {16, 32, 64};
constexpr std::array<std::int64_t, 3> kLdaGrid = {8, 4, 2};  // cells a side after 7x7 pooling of 56, 28, 14 pixels
constexpr std::int64_t kLdaOut = 16;
constexpr std::int64_t kLda4Out = 176;

class HyperIqa : public Network {
 public:
  explicit HyperIqa(std::shared_ptr<Backbone> backbone) : res_(std::move(backbone)) {
    register_module("res", res_);
    const auto channels = res_->channels();
    // The published checkpoints keep the LDA layers beside the trunk's own, under "res".
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string name = "lda" + std::to_string(i + 1);
      lda_pool_.at(i) = res_->register_module(
          name + "_pool",
          nn::Sequential(Convolution(nn::Conv2dOptions(channels.at(i), kLdaChannels.at(i), 1).bias(false)),
                         nn::AvgPool2d(nn::AvgPool2dOptions(7).stride(7))));
      const auto features = kLdaChannels.at(i) * kLdaGrid.at(i) * kLdaGrid.at(i);
      lda_fc_.at(i) = res_->register_module(name + "_fc", nn::Linear(features, kLdaOut));
    }
    lda_fc_.at(3) = res_->register_module("lda4_fc", nn::Linear(channels[3], kLda4Out));

    const auto last = channels[3];
    const nn::ReLU relu(nn::ReLUOptions().inplace(true));
    conv1_ =
        register_module("conv1", nn::Sequential(Convolution(nn::Conv2dOptions(last, last / 2, 1)), relu,
                                                Convolution(nn::Conv2dOptions(last / 2, last / 4, 1)), relu,
                                                Convolution(nn::Conv2dOptions(last / 4, kHyperChannels, 1)), relu));
    std::int64_t in = kTargetIn;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::string name = "fc" + std::to_string(i + 1);
      const auto out = kTargetWidths.at(i);
      w_conv_.at(i) =
          register_module(name + "w_conv", Convolution(nn::Conv2dOptions(kHyperChannels, in * out / 49, 3).padding(1)));
      b_fc_.at(i) = register_module(name + "b_fc", nn::Linear(kHyperChannels, out));
      in = out;
    }
    w5_fc_ = register_module("fc5w_fc", nn::Linear(kHyperChannels, in));
    b5_fc_ = register_module("fc5b_fc", nn::Linear(kHyperChannels, 1));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    TORCH_CHECK(x.dim() == 4 && x.size(1) == 3 && x.size(2) == 224 && x.size(3) == 224,
                "HyperIQA takes [N,3,224,224], got ", x.sizes());
    const auto taps = res_->forward(to_trunk(x));
    const auto last = from_trunk(taps[3]);
    const auto batch = x.size(0);
    std::vector<torch::Tensor> parts;
    for (std::size_t i = 0; i < 3; ++i) {
      // flatten must see channel-major order, whatever the memory format
      const auto pooled = from_trunk(lda_pool_.at(i)->forward(taps.at(i)));
      parts.push_back(lda_fc_.at(i)(pooled.contiguous().view({batch, -1})));
    }
    parts.push_back(lda_fc_.at(3)(last.mean({2, 3})));
    auto v = torch::cat(parts, 1).unsqueeze(2);  // [B,224,1]

    const auto h = conv1_->forward(last);
    const auto g = h.mean({2, 3});
    std::int64_t in = kTargetIn;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto out = kTargetWidths.at(i);
      const auto weight = w_conv_.at(i)(h).contiguous().view({batch, out, in});
      v = torch::sigmoid(torch::baddbmm(b_fc_.at(i)(g).unsqueeze(2), weight, v));
      in = out;
    }
    return torch::baddbmm(b5_fc_(g).unsqueeze(2), w5_fc_(g).unsqueeze(1), v).view({batch});
  }

  [[nodiscard]] std::string trunk_prefix() const override { return "res."; }
  [[nodiscard]] std::string output_bias() const override { return "fc5b_fc.bias"; }
  [[nodiscard]] bool lowers_trunk() const override { return true; }

 private:
  std::shared_ptr<Backbone> res_;
  std::array<nn::Sequential, 3> lda_pool_{nn::Sequential{nullptr}, nn::Sequential{nullptr}, nn::Sequential{nullptr}};
  std::array<nn::Linear, 4> lda_fc_{nn::Linear{nullptr}, nn::Linear{nullptr}, nn::Linear{nullptr}, nn::Linear{nullptr}};
  nn::Sequential conv1_{nullptr};
  std::array<Convolution, 4> w_conv_{Convolution{nullptr}, Convolution{nullptr}, Convolution{nullptr},
                                     Convolution{nullptr}};
  std::array<nn::Linear, 4> b_fc_{nn::Linear{nullptr}, nn::Linear{nullptr}, nn::Linear{nullptr}, nn::Linear{nullptr}};
  nn::Linear w5_fc_{nullptr};
  nn::Linear b5_fc_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_hyperiqa(std::shared_ptr<Backbone> backbone) {
  return std::make_shared<HyperIqa>(std::move(backbone));
}

void initialise_hyperiqa(Network& network, std::uint64_t seed) {
  initialise(network, seed, [](const std::string& module) -> LayerInit {
    if (module.starts_with("conv1.")) {
      return {WeightInit::kTorchDefault};
    }
    const bool trunk = module.starts_with("res.") && module.find("lda") == std::string::npos;
    return {trunk ? WeightInit::kFanOutNormal : WeightInit::kFanInNormal};
  });
}

}  // namespace steadyiqa::models
