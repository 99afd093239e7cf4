#include "inference/runner.h"

#include "base/error.h"

#include <omp.h>

#include <algorithm>
#include <new>

namespace steadyiqa::inference {
namespace {

std::byte* allocate(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, std::max(bytes, kAlignment)));
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

std::size_t elements(const Shape& shape) { return static_cast<std::size_t>(count(shape)); }

}  // namespace

OneThread::OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
OneThread::~OneThread() { omp_set_num_threads(before_); }

Runner::Runner(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)), arena_(allocate(plan_->arena_bytes)), stream_(processor()) {
  for (const auto& step : plan_->steps) {
    auto& arguments = arguments_.emplace_back();
    auto& kernel = kernels_.emplace_back();
    for (const auto& [key, place] : step.arguments) {
      arguments.emplace(key,
                        place.buffer < 0 ? place.packed : dnnl::memory(place.layout, processor(), data(place.buffer)));
    }
    for (const auto& place : step.inputs) {
      const auto* constant = place.constant == nullptr ? nullptr : place.constant->values.data();
      kernel.inputs.push_back(place.buffer < 0 ? constant : data(place.buffer));
    }
    kernel.output = step.output < 0 ? nullptr : data(step.output);
  }
}

float* Runner::data(int buffer) const {
  return reinterpret_cast<float*>(arena_.get() + plan_->offsets.at(static_cast<std::size_t>(buffer)));  // NOLINT
}

std::span<float> Runner::input() { return {data(plan_->input), elements(plan_->input_shape)}; }

std::span<const float> Runner::output(const std::string& name) const {
  const auto& output = plan_->outputs.at(name);
  return {data(output.buffer), elements(output.shape)};
}

void Runner::run() {
  const OneThread alone;
  for (std::size_t s = 0; s < plan_->steps.size(); ++s) {
    const auto& step = plan_->steps[s];
    if (step.kernel) {
      step.kernel(kernels_[s].inputs, kernels_[s].output);
    } else {
      step.primitive.execute(stream_, arguments_[s]);
    }
  }
  stream_.wait();
}

}  // namespace steadyiqa::inference
