// Files that nobody should trust.
#include "inference/onnx_file.h"

#include "base/expect_error.h"
#include "base/seed.h"
#include "inference/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <functional>

namespace steadyiqa::inference {
namespace {

using steadyiqa::testing::error_message;
using ::testing::HasSubstr;

void add_constant(onnx::GraphProto& graph, const std::string& name, const std::vector<std::int64_t>& shape) {
  auto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  std::size_t elements = 1;
  for (const auto size : shape) {
    tensor.add_dims(size);
    elements *= static_cast<std::size_t>(size);
  }
  tensor.set_raw_data(std::string(elements * sizeof(float), '\0'));
}

void add_integers(onnx::GraphProto& graph, const std::string& name, const std::vector<std::int64_t>& values) {
  auto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  tensor.set_raw_data(values.data(), values.size() * sizeof(std::int64_t));
}

void add_node(onnx::GraphProto& graph, const std::string& op, const std::vector<std::string>& inputs,
              const std::string& output) {
  auto& node = *graph.add_node();
  node.set_op_type(op);
  for (const auto& input : inputs) {
    node.add_input(input);
  }
  node.add_output(output);
}

/// pixels [N,3,8,8] -> convolution -> Relu -> Reshape -> y [N,256].
onnx::ModelProto sample() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  auto& opset = *model.add_opset_import();
  opset.set_version(17);
  auto& graph = *model.mutable_graph();
  auto& input = *graph.add_input();
  input.set_name("pixels");
  auto& type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("N");
  for (const int size : {3, 8, 8}) {
    type.mutable_shape()->add_dim()->set_dim_value(size);
  }
  add_constant(graph, "weight", {4, 3, 1, 1});
  add_integers(graph, "shape", {-1, 256});
  add_node(graph, "Conv", {"pixels", "weight"}, "c");
  add_node(graph, "Relu", {"c"}, "r");
  add_node(graph, "Reshape", {"r", "shape"}, "y");
  graph.add_output()->set_name("y");
  return model;
}

Plan plan_of(const onnx::ModelProto& model) { return make_plan(parse_onnx(model.SerializeAsString(), "m.onnx"), 2); }

std::string refusal(const std::function<void(onnx::ModelProto&)>& change) {
  auto model = sample();
  change(model);
  return error_message(ErrorKind::kInput, [&] { static_cast<void>(plan_of(model)); });
}

TEST(OnnxFileTest, ASoundFileIsRead) {
  const auto plan = plan_of(sample());
  EXPECT_EQ(plan.input_shape, (Shape{2, 3, 8, 8}));
  EXPECT_EQ(plan.outputs.at("y").shape, (Shape{2, 256}));
}

TEST(OnnxFileTest, WhatIsNoOnnxFileIsRefusedByName) {
  for (const auto& bytes : std::vector<std::string>{"", "not a model", std::string(1000, '\0')}) {
    EXPECT_THAT(error_message(ErrorKind::kInput, [&] { static_cast<void>(parse_onnx(bytes, "m.onnx")); }),
                HasSubstr("m.onnx"));
  }
}

TEST(OnnxFileTest, AGraphThatCannotBeReadIsRefused) {
  EXPECT_THAT(refusal([](auto& m) { m.mutable_opset_import(0)->set_version(13); }), HasSubstr("operator set 17"));
  EXPECT_THAT(refusal([](auto& m) { m.mutable_graph()->add_input()->set_name("more"); }), HasSubstr("2 inputs"));
  EXPECT_THAT(refusal([](auto& m) { m.mutable_graph()->mutable_node(1)->set_input(0, "none"); }),
              HasSubstr("reads 'none'"));
  EXPECT_THAT(refusal([](auto& m) { m.mutable_graph()->mutable_node(0)->set_input(0, std::string(1, 'r')); }),
              HasSubstr("reads 'r'"));
  EXPECT_THAT(refusal([](auto& m) { m.mutable_graph()->mutable_node(1)->set_output(0, std::string(1, 'c')); }),
              HasSubstr("'c' twice"));
  EXPECT_THAT(refusal([](auto& m) { m.mutable_graph()->mutable_node(1)->set_output(0, "pixels"); }),
              HasSubstr("'pixels' twice"));
  EXPECT_THAT(refusal([](auto& m) { m.mutable_graph()->mutable_node(1)->set_domain("com.other"); }),
              HasSubstr("com.other"));
  EXPECT_THAT(refusal([](auto& m) { m.mutable_graph()->mutable_output(0)->set_name(std::string(1, 'z')); }),
              HasSubstr("output 'z'"));
}

TEST(OnnxFileTest, ConstantsThatAreNotWhatTheySayAreRefused) {
  const auto weight = [](onnx::ModelProto& model) -> onnx::TensorProto& {
    return *model.mutable_graph()->mutable_initializer(0);
  };
  EXPECT_THAT(refusal([&](auto& m) { weight(m).set_raw_data(std::string(3, 'x')); }), HasSubstr("3 bytes"));
  EXPECT_THAT(refusal([&](auto& m) { weight(m).set_dims(0, -4); }), HasSubstr("shape"));
  EXPECT_THAT(refusal([&](auto& m) { weight(m).set_dims(0, std::int64_t{1} << 60); }), HasSubstr("shape"));
  EXPECT_THAT(refusal([&](auto& m) { weight(m).set_data_type(onnx::TensorProto::DOUBLE); }), HasSubstr("float32"));
  EXPECT_THAT(refusal([&](auto& m) { weight(m).set_data_location(onnx::TensorProto::EXTERNAL); }),
              HasSubstr("not in the file"));
}

TEST(OnnxFileTest, OperationsThatCannotBeRunAreNamed) {
  const auto node = [](onnx::ModelProto& model, int place) -> onnx::NodeProto& {
    return *model.mutable_graph()->mutable_node(place);
  };
  EXPECT_THAT(refusal([&](auto& m) { node(m, 1).set_op_type("Tan"); }), HasSubstr("Tan 'r'"));
  EXPECT_THAT(refusal([&](auto& m) { node(m, 0).set_input(1, "shape"); }), HasSubstr("Conv 'c'"));
  EXPECT_THAT(refusal([&](auto& m) { node(m, 0).clear_input(); }), HasSubstr("Conv 'c'"));
  EXPECT_THAT(refusal([&](auto& m) { node(m, 2).set_input(1, "weight"); }), HasSubstr("Reshape 'y'"));
  EXPECT_THAT(refusal([&](auto& m) {
                auto& attribute = *node(m, 0).add_attribute();
                attribute.set_name("group");
                attribute.set_type(onnx::AttributeProto::INT);
                attribute.set_i(-3);
              }),
              HasSubstr("do not fit"));
  EXPECT_THAT(refusal([](auto& m) {
                auto& sizes = *m.mutable_graph()->mutable_initializer(1);
                const std::int64_t huge[] = {-1, 7};
                sizes.set_raw_data(huge, sizeof(huge));
              }),
              HasSubstr("does not hold as many elements"));
}

// What random damage does: another number, or an error, never a crash.
TEST(OnnxFileTest, DamageIsAnErrorOrAnotherModel) {
  const auto bytes = sample().SerializeAsString();
  Rng rng(7);
  for (int round = 0; round < 4000; ++round) {
    auto damaged = bytes;
    for (std::int64_t n = rng.below(3); n >= 0; --n) {
      damaged[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(bytes.size())))] =
          static_cast<char>(rng.below(256));
    }
    if (round % 4 == 0) {
      damaged.resize(static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(bytes.size()))));
    }
    try {
      static_cast<void>(make_plan(parse_onnx(damaged, "m.onnx"), 2));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
    }
  }
}

}  // namespace
}  // namespace steadyiqa::inference
