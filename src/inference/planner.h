// The planner's state, shared by its two files.
#pragma once

#include "inference/plan.h"

#include <optional>
#include <set>

namespace steadyiqa::inference {

class Planner {
 public:
  Planner(OnnxFile file, std::int64_t batch, Precision precision);
  [[nodiscard]] Plan run();

 private:
  /// What a name of the graph stands for.
  struct Value {
    Shape shape{};
    std::shared_ptr<const Tensor> constant{};
    std::vector<Place> forms{};  ///< the same numbers in the layouts that were asked for; the first is the one computed
    bool shared = false;         ///< another name has the same buffer
  };

  // planner.cpp: the graph
  void plan_node(std::size_t index);
  void plan_kernel_step(const Node& node, const std::vector<Operand>& operands);
  bool plan_constant(const Node& node, const std::vector<Operand>& operands);
  void plan_alias(const Node& node, const std::vector<Operand>& operands);
  [[nodiscard]] std::vector<Operand> operands_of(const Node& node) const;
  void finish(std::size_t index);  ///< the node is done: constants that nobody reads any more are freed
  void place_buffers();
  void define(const std::string& name, Shape shape, Place place);
  int new_buffer(std::size_t bytes);
  /// The value in that layout; a reorder is added where it is in none such.
  Place in_layout(const std::string& name, const dnnl::memory::desc& layout);
  Place plain(const std::string& name);
  void add_primitive(const dnnl::primitive& primitive, std::vector<std::pair<int, Place>> arguments,
                     const dnnl::memory::desc& scratchpad = {});

  // planner_layers.cpp: what oneDNN computes
  struct Fused;
  struct Weights;
  void plan_convolution(std::size_t index);
  void plan_pool(const Node& node);
  void plan_product(const Node& node);
  [[nodiscard]] Weights weights_of(const Node& node, const Fused& fused, std::int64_t groups) const;
  [[nodiscard]] static dnnl::post_ops after_convolution(const Fused& fused);
  /// Where the convolution writes: what is added lies there already.
  Place convolution_result(const Fused& fused, const Place& source, const dnnl::memory::desc& layout);
  /// What follows the convolution and can be part of it; marks those nodes as done.
  [[nodiscard]] Fused fuse(std::size_t index, const Shape& shape);
  [[nodiscard]] const Node* sole_reader(const std::string& name, std::size_t& index) const;
  [[nodiscard]] std::optional<std::pair<float, float>> clip_bounds(const Node& node) const;
  /// A tensor input of float32.
  [[nodiscard]] const Value& value_of(const Node& node, std::size_t place) const;
  [[nodiscard]] const Tensor& constant_of(const Node& node, std::size_t place) const;

  OnnxFile file_;
  dnnl::memory::data_type convolution_type_;
  std::map<std::string, Value> values_;
  std::map<std::string, std::vector<std::size_t>> readers_;  ///< nodes by the name that they read, in order
  std::map<std::string, std::size_t> unread_;  ///< readers that are not planned yet; an output's never ends
  std::vector<bool> done_;
  std::vector<std::size_t> buffer_bytes_;
  Plan plan_;
};

/// Row-major float32; a scalar has one dimension.
[[nodiscard]] dnnl::memory::desc plain_layout(const Shape& shape);
[[nodiscard]] dnnl::memory pack(const Tensor& tensor, const Shape& shape, const dnnl::memory::desc& layout);

}  // namespace steadyiqa::inference
