// What a function computes, as libtorch's graph of aten operations.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace torch::jit {
struct Graph;
}

namespace steadyiqa::exporting {

/// Pixels [N,3,H,W] to one or more tensors [N].
using TracedFunction = std::function<std::vector<torch::Tensor>(const torch::Tensor& pixels)>;

/// The same function traced with two batches. What differs between them depends on the batch size; every size that the
/// function read as a number is a constant of the graph otherwise.
struct TracePair {
  std::shared_ptr<torch::jit::Graph> first;
  std::shared_ptr<torch::jit::Graph> second;  ///< first itself when the batch size is fixed
  std::int64_t first_batch = 0;
  std::int64_t second_batch = 0;
  std::vector<std::int64_t> image;           ///< [3,H,W]
  std::map<const void*, std::string> names;  ///< of constants, by address of their data
  std::vector<std::string> outputs;          ///< names of the function's results
};

/// Traces the function at this batch size, or, for batch 0, at two of them. Tensors that it does not compute become
/// constants; none of them may require a gradient. Dead code is removed.
[[nodiscard]] TracePair trace(const TracedFunction& function, std::int64_t batch, std::vector<std::int64_t> image);

}  // namespace steadyiqa::exporting
