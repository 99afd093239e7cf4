// A device that is none: its memory and arithmetic are the processor's, but libtorch takes it for another (its XPU or
// HPU). An operator that is given tensors of both fails, as on a GPU: what runs here has put everything on the right
// side.
#pragma once

#include <torch/types.h>

namespace steadyiqa::testing {

[[nodiscard]] torch::Device pretend_device();

/// While it lives, networks run there (parallel::device()).
class OnPretendDevice {
 public:
  OnPretendDevice();
  ~OnPretendDevice();
  OnPretendDevice(const OnPretendDevice&) = delete;
  OnPretendDevice& operator=(const OnPretendDevice&) = delete;
  OnPretendDevice(OnPretendDevice&&) = delete;
  OnPretendDevice& operator=(OnPretendDevice&&) = delete;
};

}  // namespace steadyiqa::testing
