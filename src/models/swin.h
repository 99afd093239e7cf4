// MANIQA's Swin transformer stage (Liu et al. 2021; Yang et al. 2022): windows of 4 x 4 on a map of 28 x 28.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>

namespace steadyiqa::models {

/// [window^2, window^2] int64: which row of the bias table serves a pair of places, from their distance:
/// (yi - yj + window - 1)(2 window - 1) + (xi - xj + window - 1).
[[nodiscard]] torch::Tensor relative_position_index(std::int64_t window);

/// [windows, window^2, window^2], windows row-major: -100 for pairs of places that a cyclic shift of a side x side map
/// brought together from different edges, else 0.
[[nodiscard]] torch::Tensor shifted_window_mask(std::int64_t side, std::int64_t window, std::int64_t shift);

/// Two layers of two blocks (the second with shifted windows) and a 3x3 convolution; each layer's output enters with
/// weight `scale` beside its input. Keys layers.{0,1}.blocks.{0,1}, layers.{0,1}.conv, downsample (in checkpoints,
/// never computed). Buffers attn.relative_position_index and, of shifted blocks, attn_mask.
class SwinStageImpl : public torch::nn::Module {
 public:
  SwinStageImpl(std::int64_t channels, double scale);
  ~SwinStageImpl() override;
  SwinStageImpl(const SwinStageImpl&) = delete;
  SwinStageImpl& operator=(const SwinStageImpl&) = delete;
  SwinStageImpl(SwinStageImpl&&) = delete;
  SwinStageImpl& operator=(SwinStageImpl&&) = delete;
  /// [N,channels,28,28] -> the same shape.
  torch::Tensor forward(const torch::Tensor& x);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};
TORCH_MODULE(SwinStage);

}  // namespace steadyiqa::models
