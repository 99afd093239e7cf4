#include "attacks/score_boundary.h"

#include "attacks/dct.h"
#include "attacks/item_search.h"
#include "attacks/jnd.h"
#include "data/loader.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace steadyiqa::attacks {
namespace {

/// Between a place that is beyond the boundary and one that is not.
struct Bisection {
  double beyond = 0;
  double before = 0;
  double resolution = 0;
  [[nodiscard]] bool done() const { return std::abs(beyond - before) <= resolution; }
  [[nodiscard]] double middle() const { return (beyond + before) / 2; }
  void tell(bool is_beyond) { (is_beyond ? beyond : before) = middle(); }
};

/// Score-boundary attack (Yang et al. 2024, arXiv 2401.05217). A boundary is a share of the way from the clean score to
/// the end of the scale (or the target). Each is crossed at random, by a texture of random strength on the edges, and
/// then approached again with less change; from there the next boundary is crossed. No pixel moves further than `jnd`
/// times its just-noticeable difference, nor further than the problem's budget, in whole grey levels.
///
/// Simplified: the approach is SurFree (Maho, Furon, Le Merrer 2021) without its memory (a new direction is orthogonal
/// to the present one only, not to the last ten) and with its angle searched between the first that succeeds and twice
/// that. The texture is white noise drawn for each try (theirs: two given images), the mask is edges without saliency,
/// and the whole image where there is no edge.
class ScoreBoundary : public ItemSearch {
 public:
  struct Options {
    std::int64_t queries = 8000;
    std::int64_t boundaries = 20;
    std::int64_t tries = 200;
    std::int64_t approach = 100;
    double jnd = 0.38;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        queries_field<Options>(),
        field("boundaries", &Options::boundaries, {.help = "crossed one after the other", .min = 1, .max = 10000}),
        field("tries", &Options::tries,
              {.help = "random tries to cross a boundary before it is moved nearer", .min = 1, .max = 1e6}),
        field("approach", &Options::approach,
              {.help = "most calls that make a crossing smaller", .min = 0, .max = 1e6}),
        field("jnd", &Options::jnd,
              {.help = "largest change in just-noticeable differences of the pixel", .min = 0.01, .max = 1000})};
    return kFields;
  }

  ScoreBoundary(const Item& item, const Options& options)
      : item_(item), options_(options), rng_(item.rng("score-boundary")), origin_(item.clean) {
    const auto image = data::to_image(item.clean);
    const auto device = item.clean.device();
    constexpr double kSlack = 1e-4;  // as budget_levels: for float arithmetic on whole levels
    limit_ = (options.jnd * just_noticeable_difference(image) + kSlack)
                 .floor()
                 .clamp_max(budget_levels(item.epsilon()))
                 .to(device);
    const auto edges = near_edges(image);
    mask_ = (edges.any().item<bool>() ? edges : torch::ones_like(edges)).to(torch::kFloat32).to(device);
    vertical_ = dct_matrix(item.height()).to(device);
    horizontal_ = dct_matrix(item.width()).to(device);
  }

  torch::Tensor ask() override {
    if (phase_ == Phase::kCross && tries_ == options_.tries && !nearer_boundary()) {
      return {};
    }
    if (phase_ == Phase::kCross && crossed_ == options_.boundaries) {
      return {};
    }
    candidate_ = candidate();
    return within(candidate_);
  }
  void tell(double value) override {
    if (phase_ == Phase::kCross) {
      tell_crossing(value);
    } else {
      ++approaches_;
      tell_approach(beyond(value, boundary_));
    }
    if (phase_ != Phase::kCross && approaches_ >= options_.approach) {
      next_boundary();
    }
  }

 private:
  enum class Phase {
    kCross,   ///< random tries
    kShrink,  ///< along the line back to the origin
    kTurn,    ///< a first angle to either side
    kBend     ///< a larger angle to the side that succeeded
  };
  static constexpr double kDegree = std::numbers::pi / 180;
  static constexpr double kFirstAngle = 30 * kDegree;
  static constexpr double kAngleFactor = 0.98;
  static constexpr int kTurns = 10;
  static constexpr double kResolution = 0.01;  ///< of the way back

  [[nodiscard]] torch::Tensor within(const torch::Tensor& x) const {
    return round_to_8_bit(item_.project(x), item_.clean, limit_);
  }
  [[nodiscard]] bool beyond(double value, double boundary) const {
    return value > item_.clean_value + item_.room * boundary;
  }

  [[nodiscard]] torch::Tensor candidate() {
    switch (phase_) {
      case Phase::kCross: {
        constexpr double kStrength = 0.1;
        auto texture = torch::empty(item_.clean.sizes());
        std::generate_n(texture.data_ptr<float>(), texture.numel(), [&] { return static_cast<float>(rng_.uniform()); });
        return origin_ + kStrength * rng_.uniform(-1, 1) * texture.to(item_.clean.device()) * mask_;
      }
      case Phase::kShrink:
        return origin_ + search_.middle() * (reached_ - origin_);
      case Phase::kTurn:
        return turned(side_ * angle_);
      case Phase::kBend:
        return turned(side_ * search_.middle());
    }
    return {};
  }

  /// The random tries failed: half the way back to the last boundary; false when that is too near.
  bool nearer_boundary() {
    constexpr double kNearest = 1.0 / 400;
    constexpr std::int64_t kMostTries = 6000;
    tries_ = 0;
    if (boundary_ - last_boundary_ <= kNearest || all_tries_ >= kMostTries) {
      return false;
    }
    boundary_ = (boundary_ + last_boundary_) / 2;
    return true;
  }

  void tell_crossing(double value) {
    constexpr double kLeast = 0.005;
    ++tries_;
    ++all_tries_;
    const double far = std::max(boundary_ + 2 * (boundary_ - last_boundary_), kLeast);
    if (beyond(value, far)) {
      boundary_ = (boundary_ + far) / 2;
    }
    if (beyond(value, boundary_)) {
      reached_ = candidate_;
      approaches_ = 0;
      turns_ = 0;
      angle_ = kFirstAngle;
      begin_shrink();
    }
  }

  void tell_approach(bool is_beyond) {
    switch (phase_) {
      case Phase::kCross:
        return;
      case Phase::kShrink:
        search_.tell(is_beyond);
        if (search_.done()) {
          reached_ = origin_ + search_.beyond * (reached_ - origin_);
          turns_ < kTurns ? begin_turn() : next_boundary();
        }
        return;
      case Phase::kTurn:
        if (is_beyond) {
          search_ = {angle_, 2 * angle_, kDegree};
          phase_ = Phase::kBend;
          angle_ /= kAngleFactor;
        } else if (side_ > 0) {
          side_ = -1;
        } else {
          angle_ *= kAngleFactor;
          begin_turn();
        }
        return;
      case Phase::kBend:
        search_.tell(is_beyond);
        if (search_.done()) {
          reached_ = turned(side_ * search_.beyond);
          ++turns_;
          turns_ < kTurns ? begin_turn() : begin_shrink();
        }
        return;
    }
  }

  void begin_shrink() {
    search_ = {1.0, 0.0, kResolution};
    phase_ = Phase::kShrink;
  }

  /// A new direction of low frequencies, orthogonal to the present one.
  void begin_turn() {
    auto waves = torch::empty(item_.clean.sizes());
    auto values = waves.accessor<float, 3>();
    const auto height = item_.height();
    const auto width = item_.width();
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {  // the lower half of the frequencies, in zig-zag order
          const bool low = y * width + x * height < height * width;
          values[channel][y][x] = low ? static_cast<float>(rng_.below(3) - 1) : 0.0F;
        }
      }
    }
    const auto present = (reached_ - origin_) / (reached_ - origin_).norm();
    auto across = vertical_.t().matmul(waves.to(item_.clean.device())).matmul(horizontal_);
    across = across - (across * present).sum() * present;
    constexpr double kTiny = 1e-12;
    across_ = across / across.norm().clamp_min(kTiny);
    side_ = 1;
    phase_ = Phase::kTurn;
  }

  /// On the circle through origin and reached point on which the distance to the origin falls with the angle.
  [[nodiscard]] torch::Tensor turned(double angle) const {
    const auto way = reached_ - origin_;
    return origin_ + std::cos(angle) * (std::cos(angle) * way + std::sin(angle) * way.norm() * across_);
  }

  void next_boundary() {
    origin_ = within(reached_);
    const double last = boundary_;
    boundary_ += boundary_ - last_boundary_;
    last_boundary_ = last;
    tries_ = 0;
    ++crossed_;
    phase_ = Phase::kCross;
  }

  Item item_;
  Options options_;
  Rng rng_;
  torch::Tensor limit_;  ///< [H,W] grey levels
  torch::Tensor mask_;   ///< [H,W] 0 or 1
  torch::Tensor vertical_;
  torch::Tensor horizontal_;
  Phase phase_ = Phase::kCross;
  double boundary_ = 0.01;
  double last_boundary_ = 0;
  torch::Tensor origin_;     ///< where the last boundary was left
  torch::Tensor reached_;    ///< beyond the present boundary
  torch::Tensor across_;     ///< unit direction of a turn
  torch::Tensor candidate_;  ///< before it is cut to the budget
  Bisection search_;
  double angle_ = kFirstAngle;
  double side_ = 1;
  int turns_ = 0;
  std::int64_t tries_ = 0;  ///< of this boundary
  std::int64_t all_tries_ = 0;
  std::int64_t approaches_ = 0;
  std::int64_t crossed_ = 0;
};

}  // namespace

std::vector<AttackInfo> score_boundary_attacks() {
  return {attack_entry<SearchAttack<ScoreBoundary>>({.name = "score-boundary",
                                                     .help = "one score after the other crossed by unseen changes",
                                                     .source = "Yang et al. 2024 (simplified)",
                                                     .box = Box::kBlack,
                                                     .cost = "queries F",
                                                     .searches = false})};
}

}  // namespace steadyiqa::attacks
