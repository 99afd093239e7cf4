#include "attacks/parsimonious.h"

#include "attacks/item_search.h"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>
#include <queue>

namespace steadyiqa::attacks {
namespace {

/// A block of one channel; at the right and lower edges of the image it may be smaller than its side.
struct Block {
  std::int64_t channel = 0;
  std::int64_t y = 0;
  std::int64_t x = 0;
};

/// Parsimonious attack (Moon, An, Song 2019): the score as a set function of the blocks at +eps, increased by lazy
/// greedy insertion and deletion of blocks, group by group, the blocks' side halved after each round. Blocks lie on the
/// image itself (their code enlarges noise of 256 x 256), a block is flipped only when that helps, and what is known of
/// the present noise is not asked again.
class Parsimonious : public ItemSearch {
 public:
  struct Options {
    std::int64_t queries = 10000;
    std::int64_t block = 32;
    std::int64_t group = 64;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        queries_field<Options>(),
        field("block", &Options::block,
              {.help = "side of the first blocks, halved down to 1", .unit = "pixels", .min = 1, .max = 65536}),
        field("group", &Options::group, {.help = "blocks compared at a time; 0 = all", .min = 0, .max = 1e6})};
    return kFields;
  }
  Parsimonious(const Item& item, const Options& options)
      : item_(item), group_(options.group), side_(options.block), noise_(torch::full(item.clean.sizes(), -1.0F)) {}

  torch::Tensor ask() override {
    if (round_ == 0) {
      return pixels(noise_);
    }
    for (;;) {
      if (measured_ < pass_.size()) {
        asked_ = pass_[measured_];
        return pixels(flipped(asked_));
      }
      while (!gains_.empty() && gains_.top().gain > 0) {
        const auto top = gains_.top();
        gains_.pop();
        if (top.flips != flips_) {  // of an older noise: only a guess
          asked_ = top.block;
          return pixels(flipped(asked_));
        }
        noise_ = flipped(top.block);
        value_ += top.gain;
        ++flips_;
      }
      if (!next_pass()) {
        return {};
      }
    }
  }
  void tell(double value) override {
    if (round_ == 0) {
      value_ = value;
      begin_round();
      begin_pass();
      return;
    }
    gains_.push({value - value_, asked_, flips_});
    measured_ = std::min(measured_ + 1, pass_.size());
  }

 private:
  struct Gain {
    double gain = 0;
    Block block{};
    std::int64_t flips = 0;  ///< made when it was measured
    bool operator<(const Gain& other) const { return gain < other.gain; }
  };

  [[nodiscard]] torch::Tensor pixels(const torch::Tensor& noise) const {
    return item_.round(item_.clean + item_.epsilon() * noise.to(item_.clean.device()));
  }
  [[nodiscard]] torch::Tensor flipped(const Block& block) const {
    auto result = noise_.clone();
    result[block.channel].slice(0, block.y, block.y + side_).slice(1, block.x, block.x + side_).neg_();
    return result;
  }

  /// All blocks of the present side in random order.
  void begin_round() {
    blocks_.clear();
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      for (std::int64_t y = 0; y < item_.height(); y += side_) {
        for (std::int64_t x = 0; x < item_.width(); x += side_) {
          blocks_.push_back({channel, y, x});
        }
      }
    }
    auto rng = item_.rng("parsimonious", round_++);
    shuffle(blocks_, rng);
    first_ = 0;
    rising_ = true;
    flips_before_ = flips_;
  }
  /// The blocks of the group that are to be raised, or lowered.
  void begin_pass() {
    const auto end = group_ == 0 ? blocks_.size() : std::min(blocks_.size(), first_ + static_cast<std::size_t>(group_));
    const auto noise = noise_.accessor<float, 3>();
    pass_.clear();
    for (auto i = first_; i < end; ++i) {
      const auto& [channel, y, x] = blocks_[i];
      if ((noise[channel][y][x] < 0) == rising_) {
        pass_.push_back(blocks_[i]);
      }
    }
    measured_ = 0;
    gains_ = {};
  }
  /// False at the end of the search: single pixels, and none of them helped.
  bool next_pass() {
    if (rising_) {
      rising_ = false;
    } else {
      rising_ = true;
      first_ = group_ == 0 ? blocks_.size() : first_ + static_cast<std::size_t>(group_);
    }
    if (first_ >= blocks_.size()) {
      if (side_ == 1 && flips_ == flips_before_) {
        return false;
      }
      side_ = std::max<std::int64_t>(side_ / 2, 1);
      begin_round();
    }
    begin_pass();
    return true;
  }

  Item item_;
  std::int64_t group_;
  std::int64_t side_;
  torch::Tensor noise_;  ///< [3,H,W], -1 or 1 in budgets, on the CPU
  double value_ = 0;
  std::uint64_t round_ = 0;  ///< 0: the first noise has no value yet
  std::vector<Block> blocks_;
  std::size_t first_ = 0;  ///< of the group
  bool rising_ = true;     ///< blocks at -eps are looked at, else those at +eps
  std::vector<Block> pass_;
  std::size_t measured_ = 0;  ///< blocks of the pass whose gain has been asked for
  std::priority_queue<Gain> gains_;
  Block asked_{};
  std::int64_t flips_ = 0;
  std::int64_t flips_before_ = 0;  ///< when the round began
};

}  // namespace

std::vector<AttackInfo> parsimonious_attacks() {
  return {
      attack_entry<SearchAttack<Parsimonious>>({.name = "parsimonious",
                                                .help = "blocks flipped between the ends of the budget, the best first",
                                                .source = "Moon et al. 2019",
                                                .box = Box::kBlack,
                                                .cost = "queries F"})};
}

}  // namespace steadyiqa::attacks
