// The device that networks run on, decided once per run. Images, attacks and measures stay on the processor: a Scorer
// and a training step take their pixels there and give back what they computed.
#pragma once

#include <torch/types.h>

#include <string>

namespace steadyiqa::parallel {

/// The processor until use_device.
[[nodiscard]] torch::Device device();
/// "cpu" or "cuda", as outputs name it.
[[nodiscard]] std::string device_name();

/// "cpu", "cuda" (the first one) or "cuda:N". Call before any network is made. On CUDA, float32 is float32 (no TF32)
/// and libtorch takes kernels that give the same bits each time where it has them. Throws Error(kUsage) for another
/// name and for a device that is not there.
void use_device(const std::string& name);
void use_device(torch::Device device);

/// The tensor on that device: itself where it is there already, without an operator that a trace would record.
[[nodiscard]] torch::Tensor moved(const torch::Tensor& tensor, torch::Device device);

/// How many CUDA devices there are; loads libtorch's CUDA part, where it has one.
[[nodiscard]] int cuda_devices();

/// Waits until the device has done what it was given, for those who time it.
void wait_for_device();

}  // namespace steadyiqa::parallel
