// A protocol on one model and one set, into a result store.
#pragma once

#include "attacks/attack.h"
#include "checkpoint/model_file.h"
#include "data/dataset.h"
#include "evaluation/protocol.h"
#include "evaluation/result_store.h"

#include <cstdint>
#include <functional>
#include <string>

namespace steadyiqa::evaluation {

/// Every count-th image of the set, from index on.
struct Shard {
  std::int64_t index = 0;
  std::int64_t count = 1;
  /// "i/N", 1 <= i <= N. Throws Error(kUsage).
  static Shard parse(const std::string& text);
};

/// Called with the clean and attacked pixels of each image under each attack (indices into the lists) while they are at
/// hand.
using Watch = std::function<void(std::size_t image, std::size_t attack, const torch::Tensor& clean,
                                 const attacks::AttackResult& result)>;

struct FillOptions {
  Shard shard{};
  Watch watch{};
  bool pictures = false;  ///< keep what a report shows: sensitivity maps, the worst images
};

/// Does what the store lacks: clean scores, attacks, first-order bounds, the report on masked gradients (by the first
/// shard). Each result is stored as soon as it is known. Images that another living process has in hand are left to it;
/// returns when the shard is whole. The protocol's preprocessing is not applied here (apply_preprocessing).
StoredPlan fill(ResultStore& store, const checkpoint::LoadedModel& model, const std::string& model_path,
                const data::Dataset& dataset, const Protocol& protocol, const FillOptions& options = {});

/// The first-order bound of the score's change at a budget, and what PGD of 10 steps without rounding reaches: pixels
/// [1,3,H,W], gradient of the calibrated score by them.
[[nodiscard]] BoundRow first_order_bound(const models::Scorer& scorer, const torch::Tensor& pixels,
                                         const torch::Tensor& gradient, double epsilon);

}  // namespace steadyiqa::evaluation
