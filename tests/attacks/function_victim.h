// A victim that is a plain function of one image, counts what it is asked, and remembers it.
#pragma once

#include "attacks/victim.h"

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace steadyiqa::testing {

class FunctionVictim : public attacks::Victim {
 public:
  /// `score`: of one [3,H,W] image.
  explicit FunctionVictim(std::function<double(const torch::Tensor&)> score,
                          std::int64_t limit = std::numeric_limits<std::int64_t>::max())
      : score_(std::move(score)), limit_(limit) {}
  [[nodiscard]] torch::Tensor raw(const torch::Tensor& pixels) override {
    auto scores = torch::empty({pixels.size(0)});
    for (std::int64_t i = 0; i < pixels.size(0); ++i) {
      asked_.push_back(pixels[i].clone());
      scores_.push_back(score_(pixels[i]));
      scores[i] = scores_.back();
    }
    return scores;
  }
  [[nodiscard]] bool has_gradient() const override { return false; }
  [[nodiscard]] stats::Affine calibration() const override { return {}; }
  [[nodiscard]] std::int64_t queries_left() const override { return limit_ - queries(); }
  [[nodiscard]] std::int64_t queries() const { return static_cast<std::int64_t>(asked_.size()); }
  /// Every image that was scored, in order, and its score.
  [[nodiscard]] const std::vector<torch::Tensor>& asked() const { return asked_; }
  [[nodiscard]] const std::vector<double>& scores() const { return scores_; }

 private:
  std::function<double(const torch::Tensor&)> score_;
  std::int64_t limit_;
  std::vector<torch::Tensor> asked_;
  std::vector<double> scores_;
};

}  // namespace steadyiqa::testing
