#include "inference/planner.h"

#include "base/error.h"

#include <algorithm>
#include <cmath>

namespace steadyiqa::inference {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

constexpr std::int64_t kLargestWindow = 1 << 20;

/// Kernel, stride, padding and dilation of the two sides.
struct Window {
  Shape kernel, stride, begin, end, dilation;
};

Window window_of(const Node& node, const Shape& kernel) {
  constexpr std::size_t kSides = 2;
  require(node, node.text("auto_pad", "NOTSET") == "NOTSET" && node.integer("ceil_mode", 0) == 0,
          "its padding is not given in numbers, or it rounds sizes up");
  const auto pads = node.integers("pads", {0, 0, 0, 0});
  Window window{kernel, node.integers("strides", {1, 1}), {}, {}, node.integers("dilations", {1, 1})};
  require(node,
          kernel.size() == kSides && window.stride.size() == kSides && window.dilation.size() == kSides &&
              pads.size() == 2 * kSides,
          "it is not of two sides");
  window.begin.assign(pads.begin(), pads.begin() + kSides);
  window.end.assign(pads.begin() + kSides, pads.end());
  const auto within = [](const Shape& numbers, std::int64_t least) {
    return std::all_of(numbers.begin(), numbers.end(), [least](auto n) { return n >= least && n <= kLargestWindow; });
  };
  require(node, within(window.kernel, 1) && within(window.stride, 1) && within(window.dilation, 1) && within(pads, 0),
          "its window");
  return window;
}

/// [N, channels, height, width] of what the window passes over.
Shape passed_over(const Node& node, const Shape& input, std::int64_t channels, const Window& window) {
  Shape shape = {input[0], channels};
  for (std::size_t side = 0; side < 2; ++side) {
    const auto reach = (window.kernel[side] - 1) * window.dilation[side] + 1;
    const auto room = input[side + 2] + window.begin[side] + window.end[side] - reach;
    require(node, room >= 0, "its window is larger than its input");
    shape.push_back(room / window.stride[side] + 1);
  }
  return shape;
}

dnnl::memory::desc any_layout(const Shape& shape, Type type) { return {shape, type, Tag::any}; }

dnnl::primitive_attr own_scratchpad(const dnnl::post_ops& after = {}) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(after);
  return attributes;
}

}  // namespace

/// A convolution's followers.
struct Planner::Fused {
  std::string name;                             ///< of the last one's result
  std::vector<float> scale, shift;              ///< BatchNormalization's, one a channel; none: empty
  std::string added;                            ///< to the result; "" = nothing
  std::optional<std::pair<float, float>> clip;  ///< between these
};

const Node* Planner::sole_reader(const std::string& name, std::size_t& index) const {
  const auto found = readers_.find(name);
  if (found == readers_.end() || found->second.size() != 1 || unread_.at(name) != 1) {  // read more often, or an output
    return nullptr;
  }
  index = found->second.front();
  return &file_.nodes[index];
}

const Planner::Value& Planner::value_of(const Node& node, std::size_t place) const {
  const auto found = place < node.inputs.size() ? values_.find(node.inputs[place]) : values_.end();
  require(node, found != values_.end(), fmt::format("input {} is missing", place));
  require(node, found->second.constant == nullptr || !found->second.constant->is_integer, "it is of integers");
  return found->second;
}

const Tensor& Planner::constant_of(const Node& node, std::size_t place) const {
  const auto& value = value_of(node, place);
  require(node, value.constant != nullptr, fmt::format("input {} is no constant", place));
  return *value.constant;
}

std::optional<std::pair<float, float>> Planner::clip_bounds(const Node& node) const {
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  if (node.op == "Relu") {
    return std::pair(0.0F, kInfinite);
  }
  if (node.op != "Clip" || node.inputs.size() != 3) {
    return std::nullopt;
  }
  std::array<float, 2> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const auto found = values_.find(node.inputs[i + 1]);
    if (found == values_.end() || found->second.constant == nullptr || found->second.constant->values.size() != 1) {
      return std::nullopt;
    }
    bounds[i] = found->second.constant->values[0];
  }
  return std::pair(bounds[0], bounds[1]);
}

Planner::Fused Planner::fuse(std::size_t index, const Shape& shape) {
  Fused fused{file_.nodes[index].output, {}, {}, {}, {}};
  std::size_t next = 0;
  const auto* reader = sole_reader(fused.name, next);
  const auto take = [&] {
    finish(next);
    fused.name = reader->output;
    reader = sole_reader(fused.name, next);
  };
  if (reader != nullptr && reader->op == "BatchNormalization" && reader->inputs.front() == fused.name) {
    const auto channels = static_cast<std::size_t>(shape[1]);
    const double epsilon = reader->real("epsilon", 1e-5);
    for (std::size_t i = 1; i < 5; ++i) {
      require(*reader, constant_of(*reader, i).values.size() == channels, "its parameters are not one a channel");
    }
    for (std::size_t c = 0; c < channels; ++c) {
      const double scale = constant_of(*reader, 1).values[c] / std::sqrt(constant_of(*reader, 4).values[c] + epsilon);
      fused.scale.push_back(static_cast<float>(scale));
      fused.shift.push_back(
          static_cast<float>(constant_of(*reader, 2).values[c] - constant_of(*reader, 3).values[c] * scale));
    }
    take();
  }
  if (reader != nullptr && reader->op == "Add" && reader->inputs.size() == 2) {
    const auto& other = reader->inputs[reader->inputs[0] == fused.name ? 1 : 0];
    const auto found = values_.find(other);
    if (other != fused.name && found != values_.end() && !found->second.forms.empty() && found->second.shape == shape) {
      fused.added = other;
      take();
    }
  }
  if (reader != nullptr && reader->inputs.front() == fused.name) {
    fused.clip = clip_bounds(*reader);
    if (fused.clip) {
      take();
    }
  }
  return fused;
}

/// Weights and bias of a convolution, BatchNormalization's scale and shift in them.
struct Planner::Weights {
  Tensor weight;
  Tensor bias;
  Shape grouped;  ///< of weight: [groups, ...] where there are several
};

Planner::Weights Planner::weights_of(const Node& node, const Fused& fused, std::int64_t groups) const {
  Weights result{constant_of(node, 1), {}, {}};
  auto& values = result.weight.values;
  const auto& shape = result.weight.shape;
  result.grouped = groups > 1 ? Shape{groups, shape[0] / groups, shape[1], shape[2], shape[3]} : shape;
  result.bias = {{shape[0]}, std::vector<float>(static_cast<std::size_t>(shape[0]), 0.0F), {}, false};
  if (node.inputs.size() > 2 && !node.inputs[2].empty()) {
    result.bias.values = constant_of(node, 2).values;
    require(node, result.bias.values.size() == static_cast<std::size_t>(shape[0]), "its bias is not one a channel");
  }
  if (!fused.scale.empty()) {
    const auto per_channel = values.size() / fused.scale.size();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] *= fused.scale[i / per_channel];
    }
    for (std::size_t c = 0; c < fused.scale.size(); ++c) {
      result.bias.values[c] = result.bias.values[c] * fused.scale[c] + fused.shift[c];
    }
  }
  return result;
}

dnnl::post_ops Planner::after_convolution(const Fused& fused) {
  dnnl::post_ops after;
  if (!fused.added.empty()) {
    after.append_sum(1.0F);
  }
  if (fused.clip) {
    const auto [low, high] = *fused.clip;
    if (low == 0 && std::isinf(high)) {
      after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    } else {
      after.append_eltwise(1.0F, dnnl::algorithm::eltwise_clip, low, high);
    }
  }
  return after;
}

Place Planner::convolution_result(const Fused& fused, const Place& source, const dnnl::memory::desc& layout) {
  Place result{.layout = layout};
  if (fused.added.empty()) {
    result.buffer = new_buffer(layout.get_size());
    return result;
  }
  const auto& added = values_.at(fused.added);
  const auto& own = added.forms.front();
  if (own.layout == layout && !added.shared && unread_.at(fused.added) == 0 && own.buffer != source.buffer) {
    result.buffer = own.buffer;  // nobody reads it after this
    return result;
  }
  result.buffer = new_buffer(layout.get_size());
  const dnnl::reorder::primitive_desc copy(processor(), own.layout, processor(), layout);
  add_primitive(dnnl::reorder(copy), {{DNNL_ARG_FROM, own}, {DNNL_ARG_TO, result}});
  return result;
}

void Planner::plan_convolution(std::size_t index) {
  const auto& node = file_.nodes[index];
  constexpr std::size_t kRank = 4;
  const auto input = value_of(node, 0).shape;
  const auto kernel = constant_of(node, 1).shape;
  const auto groups = node.integer("group", 1);
  require(node, input.size() == kRank && kernel.size() == kRank && count(kernel) > 0, "it is not of images");
  require(node, groups >= 1 && kernel[0] % groups == 0 && input[1] % groups == 0 && kernel[1] == input[1] / groups,
          "its weights do not fit its input");
  const auto window = window_of(node, {kernel[2], kernel[3]});
  const auto shape = passed_over(node, input, kernel[0], window);
  const auto fused = fuse(index, shape);
  const auto weights = weights_of(node, fused, groups);
  const Shape gaps = {window.dilation[0] - 1, window.dilation[1] - 1};
  const dnnl::convolution_forward::desc operation(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, any_layout(input, convolution_type_),
      any_layout(weights.grouped, convolution_type_), any_layout({kernel[0]}, Type::f32),
      any_layout(shape, convolution_type_), window.stride, gaps, window.begin, window.end);
  const dnnl::convolution_forward::primitive_desc chosen(operation, own_scratchpad(after_convolution(fused)),
                                                         processor());
  const auto source = in_layout(node.inputs[0], chosen.src_desc());
  const auto result = convolution_result(fused, source, chosen.dst_desc());
  const auto packed = [](const Tensor& tensor, const Shape& as, const dnnl::memory::desc& layout) {
    return Place{.layout = layout, .packed = pack(tensor, as, layout)};
  };
  add_primitive(dnnl::convolution_forward(chosen),
                {{DNNL_ARG_SRC, source},
                 {DNNL_ARG_WEIGHTS, packed(weights.weight, weights.grouped, chosen.weights_desc())},
                 {DNNL_ARG_BIAS, packed(weights.bias, weights.bias.shape, chosen.bias_desc())},
                 {DNNL_ARG_DST, result}},
                chosen.scratchpad_desc());
  define(fused.name, shape, result);
}

void Planner::plan_pool(const Node& node) {
  constexpr std::size_t kRank = 4;
  const auto& value = value_of(node, 0);
  const auto input = value.shape;
  require(node, input.size() == kRank && !value.forms.empty(), "it is not of images");
  const auto window = window_of(node, node.integers("kernel_shape", {}));
  require(node, window.dilation == Shape{1, 1}, "it is dilated");
  const auto shape = passed_over(node, input, input[1], window);
  auto algorithm = dnnl::algorithm::pooling_max;
  if (node.op == "AveragePool") {
    algorithm = node.integer("count_include_pad", 0) != 0 ? dnnl::algorithm::pooling_avg_include_padding
                                                          : dnnl::algorithm::pooling_avg_exclude_padding;
  }
  const auto source = value.forms.front();
  const dnnl::pooling_forward::desc operation(dnnl::prop_kind::forward_inference, algorithm, source.layout,
                                              any_layout(shape, source.layout.data_type()), window.stride,
                                              window.kernel, window.begin, window.end);
  const dnnl::pooling_forward::primitive_desc chosen(operation, own_scratchpad(), processor());
  const Place result{.buffer = new_buffer(chosen.dst_desc().get_size()), .layout = chosen.dst_desc()};
  add_primitive(dnnl::pooling_forward(chosen), {{DNNL_ARG_SRC, source}, {DNNL_ARG_DST, result}},
                chosen.scratchpad_desc());
  define(node.output, shape, result);
}

void Planner::plan_product(const Node& node) {
  require(node, node.inputs.size() == 2, "it has not two inputs");
  std::array<Shape, 2> shapes = {value_of(node, 0).shape, value_of(node, 1).shape};
  const auto rank = std::max(shapes[0].size(), shapes[1].size());
  for (auto& shape : shapes) {
    require(node, shape.size() >= 2, "it is of vectors");
    shape.insert(shape.begin(), rank - shape.size(), 1);
  }
  const auto& [left, right] = shapes;
  require(node, left[rank - 1] == right[rank - 2], "its matrices do not fit");
  auto shape = broadcast_shape(node, Shape(left.begin(), left.end() - 2), Shape(right.begin(), right.end() - 2));
  shape.push_back(left[rank - 2]);
  shape.push_back(right[rank - 1]);
  require(node, count(shape) > 0 && left[rank - 1] > 0, "it is empty");

  const auto constant = value_of(node, 1).constant;
  const auto right_layout = constant == nullptr ? plain_layout(right) : any_layout(right, Type::f32);
  const dnnl::matmul::desc operation(plain_layout(left), right_layout, plain_layout(shape));
  const dnnl::matmul::primitive_desc chosen(operation, own_scratchpad(), processor());
  // The same row-major numbers, seen with as many dimensions on both sides.
  const auto seen_as = [&](const std::string& name, const Shape& as) {
    auto place = plain(name);
    if (place.constant != nullptr) {
      return Place{.layout = plain_layout(as), .packed = pack(*place.constant, as, plain_layout(as))};
    }
    place.layout = plain_layout(as);
    return place;
  };
  const auto weights = constant == nullptr ? seen_as(node.inputs[1], right)
                                           : Place{.layout = chosen.weights_desc(),
                                                   .packed = pack(*constant, right, chosen.weights_desc())};
  const auto source = seen_as(node.inputs[0], left);
  const Place result{.buffer = new_buffer(chosen.dst_desc().get_size()), .layout = plain_layout(shape)};
  add_primitive(dnnl::matmul(chosen), {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, result}},
                chosen.scratchpad_desc());
  define(node.output, shape, result);
}

}  // namespace steadyiqa::inference
