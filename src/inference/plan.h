// A graph made ready to run at one batch size: oneDNN's primitives with weights in their layouts, kernels for the rest,
// and one block of memory in which every intermediate result has its place.
#pragma once

#include "inference/kernels.h"
#include "inference/onnx_file.h"

#include <oneapi/dnnl/dnnl.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::inference {

enum class Precision {
  kFloat32,
  kBfloat16  ///< of convolutions and the activations between them; sums in float32
};

/// Bytes that memory and the place of each result in it are multiples of: a cache line.
inline constexpr std::size_t kAlignment = 64;

/// Data of a step: a result of another (`buffer`), or something constant.
struct Place {
  int buffer = -1;
  dnnl::memory::desc layout{};               ///< of a primitive's argument
  dnnl::memory packed{};                     ///< constant, in oneDNN's layout
  std::shared_ptr<const Tensor> constant{};  ///< constant, row-major
};

/// A primitive with its arguments by DNNL_ARG_..., or a kernel with its inputs (one left out has no data) and its
/// output.
struct Step {
  dnnl::primitive primitive{};
  std::vector<std::pair<int, Place>> arguments{};
  Kernel kernel{};
  std::vector<Place> inputs{};
  int output = -1;
};

struct PlannedOutput {
  int buffer = -1;
  Shape shape;
};

struct Plan {
  std::vector<Step> steps;
  std::vector<std::size_t> offsets;  ///< of each buffer in the arena, bytes
  std::size_t arena_bytes = 0;
  int input = -1;  ///< buffer of the input, row-major float32
  Shape input_shape;
  std::map<std::string, PlannedOutput> outputs;  ///< row-major float32
};

/// Consumes the file's constants. Every size is known then: the input's first is `batch` where it is free. Throws
/// Error(kInput) for a graph with an operation that cannot be run, or shapes that do not fit, naming it; for bfloat16
/// where the processor does not multiply it, Error(kUsage).
[[nodiscard]] Plan make_plan(OnnxFile file, std::int64_t batch, Precision precision = Precision::kFloat32);

/// The processor as oneDNN's engine.
[[nodiscard]] const dnnl::engine& processor();

}  // namespace steadyiqa::inference
