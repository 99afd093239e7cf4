// How a universal perturbation is made: the three trainers of Shumitskaya et al. (katiashh/fast-attacks-on-NR-metrics,
// katiashh/UAP_Attack_on_Quality_Metrics).
#pragma once

#include "attacks/uap.h"
#include "attacks/victim.h"
#include "checkpoint/model_file.h"
#include "data/dataset.h"
#include "models/network.h"

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace steadyiqa::attacks {

/// One perturbation that is being trained.
class UapInTraining {
 public:
  virtual ~UapInTraining() = default;
  /// As it is now, [3,S,S] within +-bound.
  [[nodiscard]] virtual torch::Tensor value() = 0;
  /// A step along the objective's gradient at the last value().
  virtual void ascend(const torch::Tensor& gradient) = 0;
};
/// By options.trainer; the first two start at 0. `seed`: of the generator's noise and weights. Throws Error(kUsage) for
/// a tile that the generator cannot make.
[[nodiscard]] std::unique_ptr<UapInTraining> start_uap(const UapOptions& options, std::uint64_t seed);

/// The objective of one batch and its gradient by the perturbation: way x mean calibrated score / 100 (without the
/// calibration's intercept) of `pixels` [N,3,S,S] + perturbation [3,S,S], cut to [0,1]. `scores` are the items' shares,
/// [N]. `way`: +1 or -1.
[[nodiscard]] models::InputGradient uap_gradient(Victim& victim, const torch::Tensor& pixels,
                                                 const torch::Tensor& perturbation, double way, UapVariant variant);

/// Trains on random crops of the images. `after_epoch` gets what there is then, and can keep it. The same model, images
/// and options give the same perturbation; the model is left as it was. Stops between steps with Error(kInterrupted).
/// Throws Error(kInput) for an image that cannot be decoded, no image or a model that is not calibrated,
/// Error(kNumeric) for a score or gradient that is not finite.
Uap train_uap(const checkpoint::LoadedModel& source, const data::Dataset& images, const UapOptions& options,
              const std::function<void(const Uap&)>& after_epoch = {});

}  // namespace steadyiqa::attacks
