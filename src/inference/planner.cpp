#include "inference/planner.h"

#include "base/error.h"

#include <algorithm>
#include <numeric>

namespace steadyiqa::inference {
namespace {

/// Of what is computed once from constants, and of all that is alive at one time in a run: far above any model's.
constexpr std::int64_t kMostConstant = std::int64_t{1} << 27;
constexpr std::size_t kMostArena = std::size_t{1} << 35U;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::size_t float_bytes(const Shape& shape) { return static_cast<std::size_t>(count(shape)) * sizeof(float); }

/// First and last step that uses a buffer.
struct Lifetime {
  std::size_t first = std::numeric_limits<std::size_t>::max();
  std::size_t last = 0;
  void add(std::size_t step) {
    first = std::min(first, step);
    last = std::max(last, step);
  }
  [[nodiscard]] bool overlaps(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

std::vector<Lifetime> lifetimes(const Plan& plan, std::size_t buffers) {
  std::vector<Lifetime> lives(buffers);
  const auto use = [&](int buffer, std::size_t step) {
    if (buffer >= 0) {
      lives[static_cast<std::size_t>(buffer)].add(step);
    }
  };
  use(plan.input, 0);
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    for (const auto& [key, place] : plan.steps[s].arguments) {
      use(place.buffer, s);
    }
    for (const auto& place : plan.steps[s].inputs) {
      use(place.buffer, s);
    }
    use(plan.steps[s].output, s);
  }
  for (const auto& [name, output] : plan.outputs) {
    use(output.buffer, plan.steps.size());
  }
  return lives;
}

bool multiplies_bfloat16() {
  const auto has = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  constexpr auto kWanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);  // bits: those of amx hold it
  return (has & kWanted) == kWanted;
}

}  // namespace

const dnnl::engine& processor() {
  static const dnnl::engine kEngine(dnnl::engine::kind::cpu, 0);
  return kEngine;
}

dnnl::memory::desc plain_layout(const Shape& shape) {
  const dnnl::memory::dims sizes = shape.empty() ? dnnl::memory::dims(1, 1) : shape;
  dnnl::memory::dims strides(sizes.size(), 1);
  for (std::size_t i = sizes.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * std::max<std::int64_t>(sizes[i], 1);
  }
  return {sizes, dnnl::memory::data_type::f32, strides};
}

dnnl::memory pack(const Tensor& tensor, const Shape& shape, const dnnl::memory::desc& layout) {
  dnnl::memory from(plain_layout(shape), processor(), const_cast<float*>(tensor.values.data()));  // NOLINT: only read
  dnnl::memory to(layout, processor());
  dnnl::stream stream(processor());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return to;
}

Planner::Planner(OnnxFile file, std::int64_t batch, Precision precision)
    : file_(std::move(file)),
      convolution_type_(precision == Precision::kBfloat16 ? dnnl::memory::data_type::bf16
                                                          : dnnl::memory::data_type::f32),
      done_(file_.nodes.size(), false) {
  for (auto& [name, tensor] : file_.constants) {
    auto shape = tensor.shape;
    values_[name] = {std::move(shape), std::make_shared<Tensor>(std::move(tensor))};
  }
  file_.constants.clear();
  for (std::size_t i = 0; i < file_.nodes.size(); ++i) {
    for (const auto& input : file_.nodes[i].inputs) {
      readers_[input].push_back(i);
      ++unread_[input];
    }
  }
  for (const auto& output : file_.outputs) {
    ++unread_[output];
  }
  plan_.input_shape = file_.input_shape;
  if (!plan_.input_shape.empty() && plan_.input_shape[0] == kAnyBatch) {
    plan_.input_shape[0] = batch;
  }
  plan_.input = new_buffer(float_bytes(plan_.input_shape));
  define(file_.input, plan_.input_shape, {.buffer = plan_.input, .layout = plain_layout(plan_.input_shape)});
}

Plan Planner::run() {
  for (std::size_t i = 0; i < file_.nodes.size(); ++i) {
    if (done_[i]) {
      continue;
    }
    try {
      plan_node(i);
    } catch (const dnnl::error& error) {
      refuse(file_.nodes[i], fmt::format("oneDNN: {}", error.what()));
    }
    finish(i);
  }
  for (const auto& name : file_.outputs) {
    const auto& value = values_.at(name);
    if (value.constant != nullptr) {
      fail_input("output '{}' does not depend on the input", name);
    }
    plan_.outputs[name] = {plain(name).buffer, value.shape};
  }
  place_buffers();
  if (plan_.arena_bytes > kMostArena) {
    fail_input("its intermediate results take {} GB", plan_.arena_bytes >> 30U);
  }
  return std::move(plan_);
}

void Planner::plan_node(std::size_t index) {
  const auto& node = file_.nodes[index];
  const auto operands = operands_of(node);
  if (node.op == "Conv") {
    plan_convolution(index);
  } else if (node.op == "MaxPool" || node.op == "AveragePool") {
    plan_pool(node);
  } else if (node.op == "MatMul") {
    plan_product(node);
  } else if (!plan_constant(node, operands)) {
    if (node.op == "Reshape" || node.op == "Identity") {
      plan_alias(node, operands);
    } else {
      plan_kernel_step(node, operands);
    }
  }
}

std::vector<Operand> Planner::operands_of(const Node& node) const {
  std::vector<Operand> operands;
  for (const auto& name : node.inputs) {
    if (name.empty()) {
      operands.push_back({.given = false});
    } else {
      const auto& value = values_.at(name);
      operands.push_back({true, value.shape, value.constant.get()});
    }
  }
  return operands;
}

bool Planner::plan_constant(const Node& node, const std::vector<Operand>& operands) {
  auto result = known_integers(node, operands);
  if (!result) {
    const bool constant = std::all_of(operands.begin(), operands.end(), [](const Operand& operand) {
      return !operand.given || operand.constant != nullptr;
    });
    if (!constant) {
      return false;
    }
    const auto planned = plan_kernel(node, operands);
    require(node, count(planned.shape) <= kMostConstant, "a constant beyond all bounds");
    result = Tensor{planned.shape, std::vector<float>(static_cast<std::size_t>(count(planned.shape))), {}, false};
    std::vector<const float*> data;
    data.reserve(operands.size());
    for (const auto& operand : operands) {
      data.push_back(operand.given ? operand.constant->values.data() : nullptr);
    }
    planned.run(data, result->values.data());
  }
  auto shape = result->shape;
  values_[node.output] = {std::move(shape), std::make_shared<Tensor>(std::move(*result))};
  return true;
}

void Planner::plan_kernel_step(const Node& node, const std::vector<Operand>& operands) {
  auto planned = plan_kernel(node, operands);
  Step step;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!operands[i].given || (operands[i].constant != nullptr && operands[i].constant->is_integer)) {
      step.inputs.emplace_back();
    } else {
      step.inputs.push_back(plain(node.inputs[i]));
    }
  }
  step.kernel = std::move(planned.run);
  step.output = new_buffer(float_bytes(planned.shape));
  define(node.output, planned.shape, {.buffer = step.output, .layout = plain_layout(planned.shape)});
  plan_.steps.push_back(std::move(step));
}

void Planner::plan_alias(const Node& node, const std::vector<Operand>& operands) {
  const auto planned = plan_kernel(node, operands);
  const auto from = plain(node.inputs[0]);
  values_.at(node.inputs[0]).shared = true;
  define(node.output, planned.shape, {.buffer = from.buffer, .layout = plain_layout(planned.shape)});
  values_.at(node.output).shared = true;
}

void Planner::finish(std::size_t index) {
  done_[index] = true;
  for (const auto& input : file_.nodes[index].inputs) {
    const auto value = values_.find(input);  // none: left out, or within a fused operation
    if (--unread_[input] == 0 && value != values_.end()) {
      value->second.constant.reset();
    }
  }
}

void Planner::define(const std::string& name, Shape shape, Place place) {
  values_[name] = {std::move(shape), nullptr, {std::move(place)}, false};
}

int Planner::new_buffer(std::size_t bytes) {
  buffer_bytes_.push_back(aligned(bytes));
  return static_cast<int>(buffer_bytes_.size()) - 1;
}

Place Planner::in_layout(const std::string& name, const dnnl::memory::desc& layout) {
  auto& value = values_.at(name);
  for (const auto& form : value.forms) {
    if (form.layout == layout) {
      return form;
    }
  }
  if (value.forms.empty()) {  // a constant
    return {.layout = layout, .packed = pack(*value.constant, value.shape, layout)};
  }
  const auto from = value.forms.front();
  const Place to{.buffer = new_buffer(layout.get_size()), .layout = layout};
  const dnnl::reorder::primitive_desc reorder(processor(), from.layout, processor(), layout);
  add_primitive(dnnl::reorder(reorder), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  value.forms.push_back(to);
  return to;
}

Place Planner::plain(const std::string& name) {
  const auto& value = values_.at(name);
  if (value.constant != nullptr) {
    return {.constant = value.constant};
  }
  return in_layout(name, plain_layout(value.shape));
}

void Planner::add_primitive(const dnnl::primitive& primitive, std::vector<std::pair<int, Place>> arguments,
                            const dnnl::memory::desc& scratchpad) {
  if (scratchpad.get_size() > 0) {
    arguments.emplace_back(DNNL_ARG_SCRATCHPAD,
                           Place{.buffer = new_buffer(scratchpad.get_size()), .layout = scratchpad});
  }
  plan_.steps.push_back({.primitive = primitive, .arguments = std::move(arguments)});
}

/// Largest first, each at the lowest place that nothing alive at the same time takes.
void Planner::place_buffers() {
  const auto lives = lifetimes(plan_, buffer_bytes_.size());
  std::vector<std::size_t> order(buffer_bytes_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return buffer_bytes_[a] > buffer_bytes_[b]; });
  plan_.offsets.assign(buffer_bytes_.size(), 0);
  std::vector<std::size_t> placed;
  for (const auto buffer : order) {
    std::vector<std::size_t> neighbours;
    std::copy_if(placed.begin(), placed.end(), std::back_inserter(neighbours),
                 [&](std::size_t other) { return lives[buffer].overlaps(lives[other]); });
    std::sort(neighbours.begin(), neighbours.end(),
              [&](std::size_t a, std::size_t b) { return plan_.offsets[a] < plan_.offsets[b]; });
    std::size_t offset = 0;
    for (const auto other : neighbours) {
      if (offset + buffer_bytes_[buffer] <= plan_.offsets[other]) {
        break;
      }
      offset = std::max(offset, plan_.offsets[other] + buffer_bytes_[other]);
    }
    plan_.offsets[buffer] = offset;
    plan_.arena_bytes = std::max(plan_.arena_bytes, offset + buffer_bytes_[buffer]);
    placed.push_back(buffer);
  }
}

Plan make_plan(OnnxFile file, std::int64_t batch, Precision precision) {
  if (precision == Precision::kBfloat16 && !multiplies_bfloat16()) {
    fail_usage("precision bfloat16: this processor does not multiply it (avx512_bf16 or amx_bf16)");
  }
  return Planner(std::move(file), batch, precision).run();
}

}  // namespace steadyiqa::inference
