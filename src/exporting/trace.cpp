#include "exporting/trace.h"

#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/torch.h>

#include <utility>

namespace steadyiqa::exporting {
namespace {

// Two sizes that are not 1, which libtorch would take for a dimension to broadcast.
constexpr std::int64_t kFirstBatch = 2;
constexpr std::int64_t kSecondBatch = 3;

std::shared_ptr<torch::jit::Graph> trace_once(const TracedFunction& function, std::int64_t batch,
                                              const std::vector<std::int64_t>& image) {
  torch::NoGradGuard no_grad;
  const auto pixels = torch::full({batch, image.at(0), image.at(1), image.at(2)}, 0.5);
  const auto traced = torch::jit::tracer::trace(
      {pixels},
      [&](torch::jit::Stack inputs) {
        torch::jit::Stack outputs;
        for (auto& output : function(inputs.at(0).toTensor())) {
          outputs.emplace_back(std::move(output));
        }
        return outputs;
      },
      [](const torch::Tensor&) { return std::string(); });
  auto graph = traced.first->graph;
  torch::jit::EliminateDeadCode(graph);
  return graph;
}

}  // namespace

TracePair trace(const TracedFunction& function, std::int64_t batch, std::vector<std::int64_t> image) {
  TracePair pair;
  pair.first_batch = batch == 0 ? kFirstBatch : batch;
  pair.second_batch = batch == 0 ? kSecondBatch : batch;
  pair.first = trace_once(function, pair.first_batch, image);
  pair.second = batch == 0 ? trace_once(function, pair.second_batch, image) : pair.first;
  pair.image = std::move(image);
  return pair;
}

}  // namespace steadyiqa::exporting
