#include "exporting/onnx_ops.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numbers>
#include <numeric>

namespace steadyiqa::exporting {
namespace {

using Integers = std::vector<std::int64_t>;

// Elementwise

Names same(const Op& op) { return {op.input("self")}; }

Names dropout(const Op& op) {
  op.require(!op.flag("train"), "the network is in training mode");
  return {op.input("input")};
}

Names unary(const Op& op, const char* onnx) { return {op.add(onnx, {op.input("self")})}; }
Names relu(const Op& op) { return unary(op, "Relu"); }
Names sigmoid(const Op& op) { return unary(op, "Sigmoid"); }
Names square_root(const Op& op) { return unary(op, "Sqrt"); }

Names binary(const Op& op, const char* onnx) {
  op.require(!op.given("alpha") || op.real("alpha") == 1, "alpha is not 1");
  op.require(!op.given("rounding_mode"), "it rounds");
  return {op.add(onnx, {op.input("self"), op.input("other")})};
}
Names add(const Op& op) { return binary(op, "Add"); }
Names subtract(const Op& op) { return binary(op, "Sub"); }
Names multiply(const Op& op) { return binary(op, "Mul"); }
Names divide(const Op& op) { return binary(op, "Div"); }

Names clamp(const Op& op) {
  return {op.add("Clip",
                 {op.input("self"), op.given("min") ? op.input("min") : "", op.given("max") ? op.input("max") : ""})};
}

Names relu6(const Op& op) {
  return {op.add("Clip", {op.input("self"), op.graph().add_scalar(0), op.graph().add_scalar(6)})};
}

/// x (1 + erf(x / sqrt 2)) / 2.
Names gelu(const Op& op) {
  op.require(!op.given("approximate") || op.text("approximate") == "none", "it is the approximation by tanh");
  const auto x = op.input("self");
  const auto erf = op.add("Erf", {op.add("Div", {x, op.graph().add_scalar(std::numbers::sqrt2)})});
  const auto sum = op.add("Add", {erf, op.graph().add_scalar(1)});
  return {op.add("Mul", {op.add("Mul", {x, sum}), op.graph().add_scalar(0.5)})};
}

Names softmax(const Op& op) { return {op.add("Softmax", {op.input("self")}, {{"axis", op.integer("dim")}})}; }

// Products

Names product(const Op& op, const char* right) { return {op.add("MatMul", {op.input("self"), op.input(right)})}; }
Names matmul(const Op& op) { return product(op, "other"); }
Names bmm(const Op& op) { return product(op, "mat2"); }

Names add_product(const Op& op, const char* left, const char* right) {
  op.require(op.real("alpha") == 1 && op.real("beta") == 1, "alpha or beta is not 1");
  return {op.add("Add", {op.add("MatMul", {op.input(left), op.input(right)}), op.input("self")})};
}
Names addmm(const Op& op) { return add_product(op, "mat1", "mat2"); }
Names baddbmm(const Op& op) { return add_product(op, "batch1", "batch2"); }

Names linear(const Op& op) {
  const auto weight = op.add("Transpose", {op.input("weight")}, {{"perm", Integers{1, 0}}});
  const auto product = op.add("MatMul", {op.input("input"), weight});
  return {op.given("bias") ? op.add("Add", {product, op.input("bias")}) : product};
}

// Convolution, pooling, normalisation

/// One number for each side of the kernel; libtorch also takes one for all.
Integers per_side(const Op& op, const char* argument) {
  constexpr std::size_t kSides = 2;
  auto numbers = op.integers(argument);
  return numbers.size() == 1 ? Integers(kSides, numbers[0]) : numbers;
}

/// ONNX's pads: begin of each side, then end of each.
Integers both_ends(Integers padding) {
  const auto sides = padding.size();
  padding.resize(2 * sides);
  std::copy_n(padding.begin(), sides, padding.begin() + static_cast<std::ptrdiff_t>(sides));
  return padding;
}

Names convolution(const Op& op) {
  op.require(!op.flag("transposed"), "it is transposed");
  Names inputs = {op.input("input"), op.input("weight")};
  if (op.given("bias")) {
    inputs.push_back(op.input("bias"));
  }
  return {op.add("Conv", inputs,
                 {{"strides", per_side(op, "stride")},
                  {"pads", both_ends(per_side(op, "padding"))},
                  {"dilations", per_side(op, "dilation")},
                  {"group", op.integer("groups")}})};
}

Attributes pooling(const Op& op) {
  op.require(!op.flag("ceil_mode"), "it rounds sizes up");
  const auto kernel = per_side(op, "kernel_size");
  const auto stride = per_side(op, "stride");
  return {{"kernel_shape", kernel},
          {"strides", stride.empty() ? kernel : stride},
          {"pads", both_ends(per_side(op, "padding"))}};
}

Names average_pool(const Op& op) {
  op.require(!op.given("divisor_override"), "it has a divisor of its own");
  auto attributes = pooling(op);
  attributes.emplace_back("count_include_pad", std::int64_t{op.flag("count_include_pad")});
  return {op.add("AveragePool", {op.input("self")}, attributes)};
}

Names max_pool(const Op& op) {
  auto attributes = pooling(op);
  attributes.emplace_back("dilations", per_side(op, "dilation"));
  return {op.add("MaxPool", {op.input("self")}, attributes)};
}

Names batch_norm(const Op& op) {
  op.require(!op.flag("training"), "it normalises by batch statistics");
  return {op.add(
      "BatchNormalization",
      {op.input("input"), op.input("weight"), op.input("bias"), op.input("running_mean"), op.input("running_var")},
      {{"epsilon", op.real("eps")}})};
}

Names layer_norm(const Op& op) {
  const auto dimensions = static_cast<std::int64_t>(op.integers("normalized_shape").size());
  return {op.add("LayerNormalization", {op.input("input"), op.input("weight"), op.input("bias")},
                 {{"axis", -dimensions}, {"epsilon", op.real("eps")}})};
}

// Reductions

Integers reduced_dimensions(const Op& op) {
  if (op.given("dim") && !op.integers("dim").empty()) {
    return op.integers("dim");
  }
  Integers all(op.sizes("self").size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::int64_t keeps_dimensions(const Op& op) { return std::int64_t{op.given("keepdim") && op.flag("keepdim")}; }

Names mean(const Op& op) {
  return {
      op.add("ReduceMean", {op.input("self")}, {{"axes", reduced_dimensions(op)}, {"keepdims", keeps_dimensions(op)}})};
}

Names sum(const Op& op) {
  return {op.add("ReduceSum", {op.input("self"), op.graph().add_vector(reduced_dimensions(op))},
                 {{"keepdims", keeps_dimensions(op)}})};
}

Names norm(const Op& op) {
  op.require(op.real("p") == 2, "it is not the l2 norm");
  return {
      op.add("ReduceL2", {op.input("self")}, {{"axes", reduced_dimensions(op)}, {"keepdims", keeps_dimensions(op)}})};
}

// Shape and order

/// Every operation whose result has the elements of `self` in the same order: the trace knows the sizes.
Names reshape(const Op& op) {
  const auto sizes = op.result_sizes();
  op.require(std::count(sizes.begin(), sizes.end(), kBatchSized) <= 1, "two dimensions depend on the batch size");
  return {op.add("Reshape", {op.input("self"), op.graph().add_vector(sizes)})};
}

/// Sizes of 1 broadcast against those of `self`; the batch size is read from the model's input.
Names expand(const Op& op) {
  const auto before = op.sizes("self");
  const auto after = op.result_sizes();
  const auto added = after.size() - before.size();
  Names parts;
  for (std::size_t i = 0; i < after.size(); ++i) {
    const bool kept = i >= added && before[i - added] == after[i];
    const Integers size = {kept ? 1 : after[i]};
    parts.push_back(!kept && after[i] == kBatchSized ? op.batch_size(i) : op.graph().add_vector(size));
  }
  return {op.add("Expand", {op.input("self"), op.add("Concat", parts, {{"axis", std::int64_t{0}}})})};
}

Names permuted(const Op& op, const Integers& order) {
  return {op.add("Transpose", {op.input("self")}, {{"perm", order}})};
}

Names transpose(const Op& op) {
  Integers order(op.sizes("self").size());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order.at(op.dimension("self", op.integer("dim0"))), order.at(op.dimension("self", op.integer("dim1"))));
  return permuted(op, order);
}

Names transpose_matrix(const Op& op) {
  op.require(op.sizes("self").size() == 2, "it is no matrix");
  return permuted(op, {1, 0});
}

Names permute(const Op& op) {
  Integers order;
  for (const auto number : op.integers("dims")) {
    order.push_back(op.dimension("self", number));
  }
  return permuted(op, order);
}

std::string sliced(const Op& op, const std::string& input, std::int64_t dimension, const Integers& start_end_step) {
  const auto vector = [&](std::int64_t value) { return op.graph().add_vector(Integers{value}); };
  return op.add("Slice", {input, vector(start_end_step.at(0)), vector(start_end_step.at(1)), vector(dimension),
                          vector(start_end_step.at(2))});
}

Names slice(const Op& op) {
  constexpr auto kEnd = std::numeric_limits<std::int64_t>::max();
  return {sliced(
      op, op.input("self"), op.integer("dim"),
      {op.given("start") ? op.integer("start") : 0, op.given("end") ? op.integer("end") : kEnd, op.integer("step")})};
}

/// The last `shift` places come first, along each of the dimensions.
Names roll(const Op& op) {
  const auto shifts = op.integers("shifts");
  const auto dimensions = op.integers("dims");
  const auto sizes = op.sizes("self");
  op.require(shifts.size() == dimensions.size(), "it rolls the flattened tensor");
  auto rolled = op.input("self");
  for (std::size_t i = 0; i < shifts.size(); ++i) {
    const auto dimension = op.dimension("self", dimensions[i]);
    const auto size = sizes.at(static_cast<std::size_t>(dimension));
    op.require(size > 0, "it rolls along the batch");
    const auto cut = ((-shifts[i]) % size + size) % size;
    if (cut == 0) {
      continue;
    }
    const auto tail = sliced(op, rolled, dimension, {cut, size, 1});
    rolled = op.add("Concat", {tail, sliced(op, rolled, dimension, {0, cut, 1})}, {{"axis", dimension}});
  }
  return {rolled};
}

std::string taken(const Op& op, std::int64_t dimension, const std::string& index) {
  return op.add("Gather", {op.input("self"), index}, {{"axis", dimension}});
}

Names select(const Op& op) { return {taken(op, op.integer("dim"), op.graph().add_index(op.integer("index")))}; }

Names index_select(const Op& op) { return {taken(op, op.integer("dim"), op.input("index"))}; }

Names unbind(const Op& op) {
  const auto dimension = op.dimension("self", op.integer("dim"));
  const auto size = op.sizes("self").at(static_cast<std::size_t>(dimension));
  op.require(size != kBatchSized, "it takes the batch apart");
  Names names;
  for (std::int64_t i = 0; i < size; ++i) {
    names.push_back(taken(op, dimension, op.graph().add_index(i)));
  }
  return names;
}

Names concatenate(const Op& op) { return {op.add("Concat", op.inputs("tensors"), {{"axis", op.integer("dim")}})}; }

Names upsample_bilinear(const Op& op) {
  const auto input = op.input("self");
  const auto outer = op.add("Shape", {input}, {{"start", std::int64_t{0}}, {"end", std::int64_t{2}}});
  const auto sides = op.graph().add_vector(op.integers("output_size"));
  const auto sizes = op.add("Concat", {outer, sides}, {{"axis", std::int64_t{0}}});
  const std::string places = op.flag("align_corners") ? "align_corners" : "half_pixel";
  return {op.add("Resize", {input, "", "", sizes},
                 {{"mode", std::string("linear")}, {"coordinate_transformation_mode", places}})};
}

constexpr auto kTable = std::to_array<OpRow>({
    {"contiguous", same},
    {"dropout", dropout},
    {"relu", relu},
    {"sigmoid", sigmoid},
    {"sqrt", square_root},
    {"add", add},
    {"sub", subtract},
    {"mul", multiply},
    {"div", divide},
    {"clamp", clamp},
    {"clamp_min", clamp},
    {"relu6", relu6},
    {"gelu", gelu},
    {"softmax", softmax},
    {"matmul", matmul},
    {"bmm", bmm},
    {"addmm", addmm},
    {"baddbmm", baddbmm},
    {"linear", linear},
    {"_convolution", convolution},
    {"avg_pool2d", average_pool},
    {"max_pool2d", max_pool},
    {"batch_norm", batch_norm},
    {"layer_norm", layer_norm},
    {"mean", mean},
    {"sum", sum},
    {"norm", norm},
    {"view", reshape},
    {"reshape", reshape},
    {"flatten", reshape},
    {"squeeze", reshape},
    {"unsqueeze", reshape},
    {"expand", expand},
    {"expand_as", expand},
    {"transpose", transpose},
    {"t", transpose_matrix},
    {"permute", permute},
    {"slice", slice},
    {"roll", roll},
    {"select", select},
    {"index_select", index_select},
    {"unbind", unbind},
    {"cat", concatenate},
    {"upsample_bilinear2d", upsample_bilinear},
});

}  // namespace

std::span<const OpRow> op_table() { return kTable; }

}  // namespace steadyiqa::exporting
