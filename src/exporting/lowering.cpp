#include "exporting/lowering.h"

#include "base/error.h"
#include "exporting/onnx_ops.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/torch.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace steadyiqa::exporting {
namespace {

namespace jit = torch::jit;

constexpr const char* kInputName = "pixels";
constexpr const char* kBatchName = "N";

const jit::Value& argument_of(const jit::Node& node, const std::string& argument) { return *node.namedInput(argument); }

/// The sizes of a tensor in both traces, kBatchSized where they differ. Nothing for a value without known sizes.
std::optional<std::vector<std::int64_t>> common_sizes(const jit::Value& first, const jit::Value& second) {
  const auto first_type = first.type()->cast<c10::TensorType>();
  const auto second_type = second.type()->cast<c10::TensorType>();
  const auto from = first_type ? first_type->sizes().concrete_sizes() : c10::nullopt;
  const auto to = second_type ? second_type->sizes().concrete_sizes() : c10::nullopt;
  if (!from || !to || from->size() != to->size()) {
    return std::nullopt;
  }
  std::vector<std::int64_t> sizes(*from);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    sizes[i] = (*from)[i] == (*to)[i] ? sizes[i] : kBatchSized;
  }
  return sizes;
}

/// A constant, or a list that the trace makes from constants.
std::optional<c10::IValue> known_value(const jit::Value& value) {
  if (auto constant = jit::toIValue(&value)) {
    return *constant;
  }
  if (value.node()->kind() != c10::prim::ListConstruct) {
    return std::nullopt;
  }
  c10::List<std::int64_t> list;
  for (const auto* item : value.node()->inputs()) {
    const auto constant = jit::toIValue(item);
    if (!constant || !constant->isInt()) {
      return std::nullopt;
    }
    list.push_back(constant->toInt());
  }
  return c10::IValue(list);
}

[[noreturn]] void refuse_other_path(const jit::Node& node) {
  fail_input("cannot export for batches of any size: at {} the network does something else for another batch",
             node.kind().toQualString());
}

bool same_constant(const c10::IValue& first, const c10::IValue& second) {
  if (first.isTensor() && second.isTensor()) {
    return first.toTensor().is_same(second.toTensor()) || torch::equal(first.toTensor(), second.toTensor());
  }
  return first == second;
}

}  // namespace

/// The walk over the nodes: which ONNX names the values of the trace have.
class Lowering {
 public:
  explicit Lowering(const TracePair& traces) : traces_(traces) {}

  OnnxGraph run();
  OnnxGraph& graph() { return graph_; }
  [[nodiscard]] const TracePair& traces() const { return traces_; }
  std::string tensor(const jit::Value& first, const jit::Value& second, const Op& op);
  Names tensors(const jit::Value& first, const jit::Value& second, const Op& op);
  std::string batch();

 private:
  void lower_node(const jit::Node& first, const jit::Node& second);
  void lower_operation(const jit::Node& first, const jit::Node& second);
  std::string add_tensor(const torch::Tensor& tensor, const Op& op);
  void add_outputs();
  [[nodiscard]] Dimension batch_dimension() const {
    return traces_.first == traces_.second ? Dimension(traces_.first_batch) : Dimension(kBatchName);
  }

  const TracePair& traces_;
  OnnxGraph graph_;
  std::unordered_map<const jit::Value*, std::string> names_;
  std::unordered_map<const jit::Value*, Names> lists_;
  std::unordered_set<std::string> used_;  ///< names of constants
  std::string batch_;                     ///< name of the batch size
};

OnnxGraph Lowering::run() {
  std::vector<Dimension> dimensions = {batch_dimension()};
  dimensions.insert(dimensions.end(), traces_.image.begin(), traces_.image.end());
  graph_.add_input(kInputName, dimensions);
  names_.emplace(traces_.first->inputs().at(0), kInputName);
  auto second = traces_.second->nodes().begin();
  const auto end = traces_.second->nodes().end();
  for (const auto* node : traces_.first->nodes()) {
    if (second == end || node->kind() != second->kind() || node->inputs().size() != second->inputs().size()) {
      refuse_other_path(*node);
    }
    lower_node(*node, **second);
    ++second;
  }
  if (second != end) {
    refuse_other_path(**second);
  }
  add_outputs();
  return std::move(graph_);
}

void Lowering::add_outputs() {
  const auto values = traces_.first->outputs();
  STEADYIQA_ASSERT(values.size() == traces_.outputs.size(), "one name for each result of the traced function");
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& name = traces_.outputs[i];
    graph_.add_node("Identity", {names_.at(values[i])}, {}, name);
    const auto sizes = common_sizes(*values[i], *traces_.second->outputs()[i]);
    if (!sizes) {
      fail_input("cannot export: the sizes of {} are not known", name);
    }
    std::vector<Dimension> dimensions;
    for (const auto size : *sizes) {
      dimensions.push_back(size == kBatchSized ? batch_dimension() : Dimension(size));
    }
    graph_.add_output(name, dimensions);
  }
}

void Lowering::lower_node(const jit::Node& first, const jit::Node& second) {
  const auto kind = first.kind();
  if (kind == c10::prim::Constant || kind == c10::prim::ListConstruct) {
    return;  // taken where they are used
  }
  if (kind == c10::prim::ListUnpack) {
    const auto& list = lists_.at(first.input());
    for (std::size_t i = 0; i < first.outputs().size(); ++i) {
      names_.emplace(first.outputs()[i], list.at(i));
    }
    return;
  }
  lower_operation(first, second);
}

void Lowering::lower_operation(const jit::Node& first, const jit::Node& second) {
  const Op op(*this, first, second);
  std::string name = first.kind().is_aten() ? first.kind().toUnqualString() : "";
  if (name.size() > 1 && name.back() == '_') {
    name.pop_back();  // in place: the trace goes on with the result
  }
  const auto rows = op_table();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const OpRow& r) { return name == r.name; });
  op.require(row != rows.end() && first.outputs().size() == 1, "the table of ONNX operators has no row for it");
  auto results = row->lower(op);
  if (first.output()->type()->isSubtypeOf(*c10::TensorType::get())) {
    names_.emplace(first.output(), results.at(0));
  } else {
    lists_.emplace(first.output(), std::move(results));
  }
}

std::string Lowering::tensor(const jit::Value& first, const jit::Value& second, const Op& op) {
  const auto found = names_.find(&first);
  if (found != names_.end()) {
    return found->second;
  }
  const auto value = known_value(first);
  const auto other = known_value(second);
  op.require(value && other, fmt::format("its input %{} has no tensor", first.debugName()));
  op.require(same_constant(*value, *other), "a constant depends on the batch size; export with a fixed batch");
  if (value->isTensor()) {
    auto name = add_tensor(value->toTensor(), op);
    names_.emplace(&first, name);
    return name;
  }
  op.require(value->isScalar(), fmt::format("its input %{} is neither tensor nor number", first.debugName()));
  return graph_.add_scalar(value->toScalar().toDouble());
}

Names Lowering::tensors(const jit::Value& first, const jit::Value& second, const Op& op) {
  op.require(first.node()->kind() == c10::prim::ListConstruct, "its list of tensors is not made in place");
  Names names;
  for (std::size_t i = 0; i < first.node()->inputs().size(); ++i) {
    names.push_back(tensor(*first.node()->inputs()[i], *second.node()->inputs()[i], op));
  }
  return names;
}

std::string Lowering::add_tensor(const torch::Tensor& tensor, const Op& op) {
  const bool number = tensor.dim() == 0 && tensor.is_floating_point();  // a wrapped double
  const auto type = number ? torch::kFloat32 : tensor.scalar_type();
  op.require(type == torch::kFloat32 || type == torch::kInt64,
             fmt::format("a constant is {}; float32 and int64 can be written", toString(type)));
  const auto data = tensor.detach().to(torch::kCPU, type).contiguous();
  const auto found = traces_.names.find(tensor.data_ptr());
  const bool named = found != traces_.names.end() && used_.insert(found->second).second;
  const std::string_view bytes(static_cast<const char*>(data.data_ptr()), data.nbytes());
  return graph_.add_constant(type == torch::kFloat32 ? ElementType::kFloat32 : ElementType::kInt64,
                             {data.sizes().data(), data.sizes().size()}, bytes, named ? found->second : "");
}

std::string Lowering::batch() {
  if (batch_.empty()) {
    batch_ = graph_.add_node("Shape", {kInputName}, {{"start", std::int64_t{0}}, {"end", std::int64_t{1}}});
  }
  return batch_;
}

std::string Op::input(const std::string& argument) const {
  return lowering_.tensor(argument_of(first_, argument), argument_of(second_, argument), *this);
}

Names Op::inputs(const std::string& argument) const {
  return lowering_.tensors(argument_of(first_, argument), argument_of(second_, argument), *this);
}

bool Op::given(const std::string& argument) const {
  return first_.hasNamedInput(argument) && !argument_of(first_, argument).mustBeNone();
}

c10::IValue Op::constant(const std::string& argument) const {
  const auto first = known_value(argument_of(first_, argument));
  const auto second = known_value(argument_of(second_, argument));
  require(first && second, argument + " is not known before the model runs");
  require(*first == *second, argument + " depends on the batch size; export with a fixed batch");
  return *first;
}

std::vector<std::int64_t> Op::integers(const std::string& argument) const {
  const auto value = constant(argument);
  require(value.isIntList() || value.isInt(), argument + " is no list of integers");
  return value.isInt() ? std::vector<std::int64_t>{value.toInt()} : value.toIntVector();
}

std::int64_t Op::integer(const std::string& argument) const {
  const auto value = constant(argument);
  require(value.isInt(), argument + " is no integer");
  return value.toInt();
}

double Op::real(const std::string& argument) const {
  const auto value = constant(argument);
  require(value.isScalar(), argument + " is no number");
  return value.toScalar().toDouble();
}

bool Op::flag(const std::string& argument) const {
  const auto value = constant(argument);
  require(value.isBool(), argument + " is no flag");
  return value.toBool();
}

std::string Op::text(const std::string& argument) const {
  const auto value = constant(argument);
  require(value.isString(), argument + " is no text");
  return value.toStringRef();
}

std::vector<std::int64_t> Op::sizes(const std::string& argument) const {
  auto known = common_sizes(argument_of(first_, argument), argument_of(second_, argument));
  require(known.has_value(), "the sizes of " + argument + " are not known");
  return *known;
}

std::vector<std::int64_t> Op::result_sizes() const {
  auto known = common_sizes(*first_.output(), *second_.output());
  require(known.has_value(), "the sizes of its result are not known");
  return *known;
}

std::int64_t Op::dimension(const std::string& argument, std::int64_t number) const {
  const auto rank = static_cast<std::int64_t>(sizes(argument).size());
  const auto counted = number < 0 ? number + rank : number;
  require(counted >= 0 && counted < rank, fmt::format("{} has no dimension {}", argument, number));
  return counted;
}

std::string Op::batch_size(std::size_t dimension) const {
  const auto is_batch = [&](const jit::Node& node, std::int64_t batch) {
    return node.output()->type()->expect<c10::TensorType>()->sizes()[dimension] == batch;
  };
  require(is_batch(first_, lowering_.traces().first_batch) && is_batch(second_, lowering_.traces().second_batch),
          "the size of its result is a multiple of the batch size");
  return lowering_.batch();
}

OnnxGraph& Op::graph() const { return lowering_.graph(); }

void Op::refuse(const std::string& reason) const {
  fail_input("cannot export {}: {}", first_.kind().toQualString(), reason);
}

void Op::require(bool supported, const std::string& reason) const {
  if (!supported) {
    refuse(reason);
  }
}

OnnxGraph lower(const TracePair& traces) { return Lowering(traces).run(); }

}  // namespace steadyiqa::exporting
