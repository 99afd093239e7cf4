#include "exporting/onnx_graph.h"

#include "base/error.h"

#include <onnx/onnx_pb.h>

#include <bit>
#include <limits>

namespace steadyiqa::exporting {

static_assert(std::endian::native == std::endian::little, "constants are written as they lie in memory");

struct OnnxGraph::Parts {
  onnx::ModelProto model;
  std::int64_t names = 0;  ///< given so far
};

namespace {

void describe(onnx::ValueInfoProto& value, const std::string& name, const std::vector<Dimension>& dimensions) {
  value.set_name(name);
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  auto& shape = *type.mutable_shape();
  for (const auto& dimension : dimensions) {
    auto& entry = *shape.add_dim();
    if (const auto* size = std::get_if<std::int64_t>(&dimension)) {
      entry.set_dim_value(*size);
    } else {
      entry.set_dim_param(std::get<std::string>(dimension));
    }
  }
}

void set_attribute(onnx::AttributeProto& entry, const Attribute& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    entry.set_type(onnx::AttributeProto::INT);
    entry.set_i(*integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    entry.set_type(onnx::AttributeProto::FLOAT);
    entry.set_f(static_cast<float>(*real));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    entry.set_type(onnx::AttributeProto::STRING);
    entry.set_s(*text);
  } else {
    entry.set_type(onnx::AttributeProto::INTS);
    for (const auto integer_of_list : std::get<std::vector<std::int64_t>>(value)) {
      entry.add_ints(integer_of_list);
    }
  }
}

template <class T>
std::string_view bytes_of(std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

OnnxGraph::OnnxGraph() : parts_(std::make_unique<Parts>()) {
  parts_->model.set_ir_version(kOnnxIrVersion);
  parts_->model.mutable_graph()->set_name("steadyiqa");
  auto& opset = *parts_->model.add_opset_import();
  opset.set_domain("");
  opset.set_version(kOnnxOpset);
}

OnnxGraph::~OnnxGraph() = default;
OnnxGraph::OnnxGraph(OnnxGraph&& other) noexcept = default;
OnnxGraph& OnnxGraph::operator=(OnnxGraph&& other) noexcept = default;

std::string OnnxGraph::new_name(const std::string& stem) { return fmt::format("{}_{}", stem, ++parts_->names); }

void OnnxGraph::add_input(const std::string& name, const std::vector<Dimension>& dimensions) {
  describe(*parts_->model.mutable_graph()->add_input(), name, dimensions);
}

void OnnxGraph::add_output(const std::string& name, const std::vector<Dimension>& dimensions) {
  describe(*parts_->model.mutable_graph()->add_output(), name, dimensions);
}

std::string OnnxGraph::add_node(const std::string& op, const Names& inputs, const Attributes& attributes,
                                const std::string& result) {
  auto& node = *parts_->model.mutable_graph()->add_node();
  auto name = result.empty() ? new_name(op) : result;
  node.set_op_type(op);
  node.set_name(name);
  for (const auto& input : inputs) {
    node.add_input(input);
  }
  node.add_output(name);
  for (const auto& [key, value] : attributes) {
    auto& entry = *node.add_attribute();
    entry.set_name(key);
    set_attribute(entry, value);
  }
  return name;
}

std::string OnnxGraph::add_constant(ElementType type, std::span<const std::int64_t> shape, std::string_view bytes,
                                    const std::string& name) {
  auto& tensor = *parts_->model.mutable_graph()->add_initializer();
  tensor.set_name(name.empty() ? new_name("constant") : name);
  tensor.set_data_type(type == ElementType::kFloat32 ? onnx::TensorProto::FLOAT : onnx::TensorProto::INT64);
  for (const auto size : shape) {
    tensor.add_dims(size);
  }
  tensor.set_raw_data(bytes.data(), bytes.size());
  return tensor.name();
}

std::string OnnxGraph::add_vector(std::span<const std::int64_t> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return add_constant(ElementType::kInt64, std::span(&size, 1), bytes_of(values));
}

std::string OnnxGraph::add_index(std::int64_t value) {
  return add_constant(ElementType::kInt64, {}, bytes_of(std::span<const std::int64_t>(&value, 1)));
}

std::string OnnxGraph::add_scalar(double value) {
  const auto narrow = static_cast<float>(value);
  return add_constant(ElementType::kFloat32, {}, bytes_of(std::span<const float>(&narrow, 1)));
}

std::string OnnxGraph::serialise(const std::string& producer_version, const Metadata& metadata) const {
  auto& model = parts_->model;
  model.set_producer_name("steadyiqa");
  model.set_producer_version(producer_version);
  model.clear_metadata_props();
  for (const auto& [key, value] : metadata) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  if (model.ByteSizeLong() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    fail_input("the model is larger than the 2 GB that an ONNX file holds");
  }
  std::string bytes;
  if (!model.SerializeToString(&bytes)) {
    fail_input("the ONNX model could not be serialised");
  }
  return bytes;
}

}  // namespace steadyiqa::exporting
