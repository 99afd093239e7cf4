#include "inference/onnx_file.h"

#include "base/error.h"
#include "base/file.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <cstring>
#include <limits>
#include <set>

namespace steadyiqa::inference {
namespace {

constexpr std::int64_t kOpset = 17;
constexpr int kMostNodes = 20'000;
constexpr std::int64_t kMostElements = std::int64_t{1} << 31;

template <class T>
const T& typed(const Node& node, const std::string& name, const Attribute& value) {
  if (const auto* found = std::get_if<T>(&value)) {
    return *found;
  }
  fail_input("{} '{}': attribute {} is of another type", node.op, node.output, name);
}

template <class T>
T attribute_or(const Node& node, const std::string& name, const T& otherwise) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? otherwise : typed<T>(node, name, found->second);
}

template <class T>
void copy_values(const std::string& raw, std::vector<T>& values, std::int64_t expected, const std::string& name) {
  if (raw.size() != static_cast<std::size_t>(expected) * sizeof(T)) {
    fail_input("constant '{}': {} bytes where its shape wants {}", name, raw.size(),
               static_cast<std::size_t>(expected) * sizeof(T));
  }
  values.resize(static_cast<std::size_t>(expected));
  std::memcpy(values.data(), raw.data(), raw.size());
}

/// Takes the data out of the message, so that no two copies of all weights exist.
Tensor take_constant(onnx::TensorProto& proto) {
  if (proto.data_location() == onnx::TensorProto::EXTERNAL || !proto.has_raw_data()) {
    fail_input("constant '{}': its data are not in the file, or not as raw bytes", proto.name());
  }
  Tensor tensor;
  tensor.shape.assign(proto.dims().begin(), proto.dims().end());
  const auto elements = count(tensor.shape);
  tensor.is_integer = proto.data_type() == onnx::TensorProto::INT64;
  if (tensor.is_integer) {
    copy_values(proto.raw_data(), tensor.integers, elements, proto.name());
  } else if (proto.data_type() == onnx::TensorProto::FLOAT) {
    copy_values(proto.raw_data(), tensor.values, elements, proto.name());
  } else {
    fail_input("constant '{}': neither float32 nor int64", proto.name());
  }
  std::string().swap(*proto.mutable_raw_data());
  return tensor;
}

Node read_node(const onnx::NodeProto& proto) {
  if (!proto.domain().empty() || proto.output_size() != 1) {
    fail_input("operation '{}' of domain '{}' with {} results: one of ONNX' own with one result is wanted",
               proto.op_type(), proto.domain(), proto.output_size());
  }
  Node node{proto.op_type(), {proto.input().begin(), proto.input().end()}, proto.output(0), {}};
  for (const auto& entry : proto.attribute()) {
    switch (entry.type()) {
      case onnx::AttributeProto::INT:
        node.attributes[entry.name()] = static_cast<std::int64_t>(entry.i());
        break;
      case onnx::AttributeProto::FLOAT:
        node.attributes[entry.name()] = static_cast<double>(entry.f());
        break;
      case onnx::AttributeProto::STRING:
        node.attributes[entry.name()] = entry.s();
        break;
      case onnx::AttributeProto::INTS:
        node.attributes[entry.name()] = std::vector<std::int64_t>(entry.ints().begin(), entry.ints().end());
        break;
      default:
        fail_input("{} '{}': attribute {} is of a type that is not read", node.op, node.output, entry.name());
    }
  }
  return node;
}

void read_input(const onnx::GraphProto& graph, OnnxFile& file) {
  if (graph.input_size() != 1 || graph.input(0).type().tensor_type().elem_type() != onnx::TensorProto::FLOAT) {
    fail_input("{} inputs: one of float32 is wanted", graph.input_size());
  }
  file.input = graph.input(0).name();
  for (const auto& dimension : graph.input(0).type().tensor_type().shape().dim()) {
    const bool free = !dimension.has_dim_value();
    if (free ? !file.input_shape.empty() : dimension.dim_value() <= 0) {
      fail_input("input '{}': only its first size may be free", file.input);
    }
    file.input_shape.push_back(free ? kAnyBatch : dimension.dim_value());
  }
}

/// Every name is computed once, and before it is read.
void check_order(const OnnxFile& file) {
  std::set<std::string> known = {file.input};
  for (const auto& [name, tensor] : file.constants) {
    if (name.empty() || !known.insert(name).second) {
      fail_input("name '{}' twice", name);
    }
  }
  for (const auto& node : file.nodes) {
    for (const auto& input : node.inputs) {
      if (!input.empty() && known.count(input) == 0) {
        fail_input("{} reads '{}', which is not known there", node.op, input);
      }
    }
    if (node.output.empty() || !known.insert(node.output).second) {
      fail_input("name '{}' twice", node.output);
    }
  }
  for (const auto& output : file.outputs) {
    if (known.count(output) == 0) {
      fail_input("nothing computes output '{}'", output);
    }
  }
}

OnnxFile read(onnx::ModelProto& model) {
  const bool known_opset = model.opset_import_size() == 1 && model.opset_import(0).domain().empty() &&
                           model.opset_import(0).version() == kOpset;
  if (!known_opset || !model.has_graph()) {
    fail_input("no ONNX model of operator set {}", kOpset);
  }
  OnnxFile file;
  auto& graph = *model.mutable_graph();
  if (graph.node_size() > kMostNodes) {
    fail_input("{} operations: at most {} are read", graph.node_size(), kMostNodes);
  }
  read_input(graph, file);
  for (auto& proto : *graph.mutable_initializer()) {
    if (!file.constants.try_emplace(proto.name(), take_constant(proto)).second) {
      fail_input("constant '{}' twice", proto.name());
    }
  }
  for (const auto& proto : graph.node()) {
    file.nodes.push_back(read_node(proto));
  }
  for (const auto& output : graph.output()) {
    file.outputs.push_back(output.name());
  }
  for (const auto& entry : model.metadata_props()) {
    file.metadata[entry.key()] = entry.value();
  }
  check_order(file);
  return file;
}

OnnxFile parse_stream(google::protobuf::io::ZeroCopyInputStream& stream, const std::string& name) {
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetTotalBytesLimit(std::numeric_limits<int>::max());
  onnx::ModelProto model;
  try {
    if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage()) {
      fail_input("not an ONNX file, or cut short (`steadyiqa export` makes one of a model file)");
    }
    return read(model);
  } catch (const Error& error) {
    fail(error.kind(), "{}: {}", name, error.what());
  }
}

/// A file in pieces, so that its bytes and its message are never in memory together.
class FilePieces : public google::protobuf::io::CopyingInputStream {
 public:
  explicit FilePieces(const std::filesystem::path& path) : file_(path) {}
  int Read(void* buffer, int size) override {
    const auto most = std::min<std::uint64_t>(static_cast<std::uint64_t>(size), file_.size() - at_);
    file_.read(at_, {static_cast<std::byte*>(buffer), static_cast<std::size_t>(most)});
    at_ += most;
    return static_cast<int>(most);
  }
  [[nodiscard]] std::uint64_t size() const { return file_.size(); }

 private:
  RandomAccessFile file_;
  std::uint64_t at_ = 0;
};

}  // namespace

std::int64_t Node::integer(const std::string& name, std::int64_t otherwise) const {
  return attribute_or(*this, name, otherwise);
}
double Node::real(const std::string& name, double otherwise) const { return attribute_or(*this, name, otherwise); }
std::string Node::text(const std::string& name, const std::string& otherwise) const {
  return attribute_or(*this, name, otherwise);
}
std::vector<std::int64_t> Node::integers(const std::string& name, const std::vector<std::int64_t>& otherwise) const {
  return attribute_or(*this, name, otherwise);
}

std::int64_t count(const Shape& shape) {
  std::int64_t elements = 1;
  for (const auto size : shape) {
    if (size < 0 || (size > 0 && elements > kMostElements / size)) {
      fail_input("a tensor of shape [{}]", fmt::join(shape, ","));
    }
    elements *= size;
  }
  return elements;
}

OnnxFile parse_onnx(std::string_view bytes, const std::string& name) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    fail_input("{}: larger than the 2 GB that an ONNX file holds", name);
  }
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return parse_stream(stream, name);
}

OnnxFile read_onnx(const std::filesystem::path& path) {
  FilePieces pieces(path);
  if (pieces.size() > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
    fail_input("{}: larger than the 2 GB that an ONNX file holds", path.string());
  }
  google::protobuf::io::CopyingInputStreamAdaptor stream(&pieces);
  return parse_stream(stream, path.string());
}

}  // namespace steadyiqa::inference
