// Runs an exported model with src/inference, as exporting's tests do with onnxruntime.
#pragma once

#include "inference/runner.h"

#include <torch/torch.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

namespace steadyiqa::testing {

/// Its outputs by name for pixels [N,3,H,W].
inline std::map<std::string, torch::Tensor> run_plan(const std::string& model, const torch::Tensor& pixels,
                                                     inference::Precision precision = inference::Precision::kFloat32) {
  const auto plan = std::make_shared<const inference::Plan>(
      inference::make_plan(inference::parse_onnx(model, "model"), pixels.size(0), precision));
  inference::Runner runner(plan);
  const auto values = pixels.contiguous();
  std::copy_n(values.data_ptr<float>(), values.numel(), runner.input().data());
  runner.run();
  std::map<std::string, torch::Tensor> outputs;
  for (const auto& [name, output] : plan->outputs) {
    auto tensor = torch::empty(output.shape);
    std::copy_n(runner.output(name).data(), tensor.numel(), tensor.data_ptr<float>());
    outputs[name] = tensor;
  }
  return outputs;
}

}  // namespace steadyiqa::testing
