// ViT-B/8 (Dosovitskiy et al. 2021) as timm names it, for the maps that MANIQA takes from its middle.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>

namespace steadyiqa::models {

/// Keys cls_token, pos_embed, patch_embed.proj, blocks.{0..11}, norm, head. Blocks 10 and 11, norm and head are there
/// because checkpoints hold them, and are never computed.
class VitImpl : public torch::nn::Module {
 public:
  static constexpr std::int64_t kSide = 28;       ///< patches along each side
  static constexpr std::int64_t kChannels = 768;  ///< of a token
  static constexpr std::int64_t kTaps = 4;

  VitImpl();
  ~VitImpl() override;
  VitImpl(const VitImpl&) = delete;
  VitImpl& operator=(const VitImpl&) = delete;
  VitImpl(VitImpl&&) = delete;
  VitImpl& operator=(VitImpl&&) = delete;
  /// x: [N,3,224,224]. The patches' tokens after blocks 6, 7, 8 and 9, side by side: [N,784,3072].
  torch::Tensor forward(const torch::Tensor& x);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};
TORCH_MODULE(Vit);

}  // namespace steadyiqa::models
