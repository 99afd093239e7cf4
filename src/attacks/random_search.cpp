#include "attacks/random_search.h"

#include "attacks/dct.h"
#include "attacks/item_search.h"
#include "models/noise.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

namespace steadyiqa::attacks {
namespace {

/// Signs of the full budget at random: what any search has to beat. Asks the victim nothing.
class RandomSigns : public Attack {
 public:
  struct Options {};
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields;
    return kFields;
  }
  explicit RandomSigns(Options /*none*/) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    const auto noise = problem.random("random", 0, [](Rng& rng) { return rng.below(2) == 0 ? -1.0 : 1.0; });
    return problem.clean() + problem.epsilon() * noise;
  }
};

enum class SearchVariant { kPaper, kOfficial };

/// Square attack (Andriushchenko et al. 2020, algorithms 1 and 2, l-infinity): the objective is the score itself.
/// official: MSU's port, which begins at the clean image and keeps to the first 256 x 256 pixels.
class Square : public ItemSearch {
 public:
  struct Options {
    std::int64_t queries = 10000;
    double share = 0.05;
    SearchVariant variant = SearchVariant::kPaper;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        queries_field<Options>(),
        field("share", &Options::share, {.help = "of the image that the first squares cover", .min = 1e-6, .max = 1}),
        field("variant", &Options::variant, {"paper", "official"},
              {.help = "official: MSU's code, no stripes to begin with, squares in the first 256 x 256 pixels"})};
    return kFields;
  }
  Square(const Item& item, const Options& options)
      : item_(item), options_(options), rng_(item.rng("square")), value_(item.clean_value) {}

  torch::Tensor ask() override {
    if (!noise_.defined() && options_.variant == SearchVariant::kPaper) {
      candidate_ = stripes();
    } else {
      noise_ = noise_.defined() ? noise_ : torch::zeros_like(item_.clean);
      candidate_ = with_square(noise_);
    }
    return item_.round(item_.clean + item_.epsilon() * candidate_);
  }
  void tell(double value) override {
    if (!noise_.defined() || value > value_) {  // the stripes are taken whatever their value
      noise_ = candidate_;
      value_ = value;
    }
  }

 private:
  double sign() { return rng_.below(2) == 0 ? -1.0 : 1.0; }

  torch::Tensor stripes() {
    auto columns = torch::empty({3, 1, item_.width()});
    auto* data = columns.data_ptr<float>();
    std::generate_n(data, columns.numel(), [&] { return static_cast<float>(sign()); });
    return columns.to(item_.clean.device()).expand_as(item_.clean).clone();
  }

  /// The share of the image that a square covers by now: halved at steps 10, 50, ... of 10,000.
  [[nodiscard]] double share() const {
    constexpr std::array<double, 9> kHalvings = {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000};
    const double step = std::floor(static_cast<double>(squares_) / static_cast<double>(item_.queries) * 10000.0);
    const auto halvings = std::ranges::count_if(kHalvings, [&](double at) { return step > at; });
    return std::ldexp(options_.share, -static_cast<int>(halvings));
  }

  torch::Tensor with_square(const torch::Tensor& noise) {
    constexpr std::int64_t kOfficialSide = 256;  // their squares lie in this corner of the image, whatever its size
    const bool official = options_.variant == SearchVariant::kOfficial;
    const auto height = official ? std::min(kOfficialSide, item_.height()) : item_.height();
    const auto width = official ? std::min(kOfficialSide, item_.width()) : item_.width();
    const auto area = static_cast<double>(official ? kOfficialSide * kOfficialSide : height * width);
    const auto longest = std::max<std::int64_t>(1, std::min(height, width) - 1);
    const auto side = std::clamp<std::int64_t>(std::llround(std::sqrt(share() * area)), 1, longest);
    ++squares_;
    const auto y = rng_.below(height - side + 1);
    const auto x = rng_.below(width - side + 1);
    auto result = noise.clone();
    auto square = result.slice(1, y, y + side).slice(2, x, x + side);
    const auto before = square.clone();
    while (torch::equal(square, before)) {  // a draw that changes nothing would be a wasted call
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        square[channel].fill_(sign());
      }
    }
    return result;
  }

  Item item_;
  Options options_;
  Rng rng_;
  torch::Tensor noise_;  ///< in budgets
  torch::Tensor candidate_;
  double value_;
  std::int64_t squares_ = 0;
};

enum class Basis { kDct, kPixel };

/// SimBA (Guo et al. 2019): along one orthonormal direction after the other, forward and else backward, what helps is
/// kept; here cut to the eps-box after each step. A pass in which nothing helps ends it.
class Simba : public ItemSearch {
 public:
  struct Options {
    std::int64_t queries = 10000;
    Basis basis = Basis::kDct;
    std::int64_t frequencies = 28;
    double step = 0;  ///< l2 length; 0 = two budgets at its largest value
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        queries_field<Options>(),
        field("basis", &Options::basis, {"dct", "pixel"}, {.help = "directions: low cosine waves, or single values"}),
        field("frequencies", &Options::frequencies,
              {.help = "of the waves, from the lowest, each way", .min = 1, .max = 65536}),
        field("step", &Options::step,
              {.help = "l2 length of a step; 0 = two budgets where it is largest", .min = 0, .max = 1000})};
    return kFields;
  }
  Simba(const Item& item, const Options& options)
      : item_(item),
        step_(options.step),
        rows_(std::min(item.height(), options.basis == Basis::kDct ? options.frequencies : item.height())),
        columns_(std::min(item.width(), options.basis == Basis::kDct ? options.frequencies : item.width())),
        x_(item.clean),
        value_(item.clean_value),
        order_(static_cast<std::size_t>(3 * rows_ * columns_)) {
    if (options.basis == Basis::kDct) {
      vertical_ = dct_matrix(item.height()).to(item.clean.device());
      horizontal_ = dct_matrix(item.width()).to(item.clean.device());
    }
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
    begin_pass();
  }

  torch::Tensor ask() override {
    if (next_ == order_.size()) {
      if (!improved_) {
        return {};  // no direction helps any more
      }
      begin_pass();
    }
    candidate_ = x_.clone();
    add(order_[next_], candidate_);
    candidate_ = item_.project(candidate_);
    return item_.round(candidate_);
  }
  void tell(double value) override {
    const bool better = value > value_;
    if (better) {
      x_ = candidate_;
      value_ = value;
      improved_ = true;
    }
    if (better || sign_ < 0) {
      sign_ = 1;
      ++next_;
    } else {
      sign_ = -1;
    }
  }

 private:
  void begin_pass() {
    auto rng = item_.rng("simba", pass_++);
    shuffle(order_, rng);
    next_ = 0;
    improved_ = false;
  }

  /// Adds the step along direction `number` to `pixels`.
  void add(std::int64_t number, const torch::Tensor& pixels) const {
    const auto row = number / columns_ % rows_;
    const auto column = number % columns_;
    const auto channel = pixels[number / columns_ / rows_];
    if (!vertical_.defined()) {
      channel[row][column].add_(sign_ * (step_ > 0 ? step_ : 2 * item_.epsilon()));
      return;
    }
    const auto wave = torch::outer(vertical_[row], horizontal_[column]);
    const double length = step_ > 0 ? step_ : 2 * item_.epsilon() / wave.abs().max().item<double>();
    channel.add_(wave, sign_ * length);
  }

  Item item_;
  double step_;
  std::int64_t rows_;
  std::int64_t columns_;
  torch::Tensor vertical_;  ///< undefined: single pixels
  torch::Tensor horizontal_;
  torch::Tensor x_;
  torch::Tensor candidate_;
  double value_;
  std::vector<std::int64_t> order_;
  std::size_t next_ = 0;
  std::uint64_t pass_ = 0;
  int sign_ = 1;
  bool improved_ = false;
};

/// Projected sign steps along a gradient estimated by natural evolution strategies (Ilyas et al. 2018): the mean of
/// (f(x + sigma u) - f(x - sigma u)) u over pairs of normal u. official: MSU's port, steps along the estimate itself.
class Nes : public ItemSearch {
 public:
  struct Options {
    std::int64_t queries = 10000;
    std::int64_t pairs = 20;
    double sigma = 0;
    double step_size = 0;
    std::int64_t tile = 0;
    SearchVariant variant = SearchVariant::kPaper;
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        queries_field<Options>(),
        field("pairs", &Options::pairs, {.help = "antithetic pairs of an estimate", .min = 1, .max = 1e6}),
        field(
            "sigma", &Options::sigma,
            {.help = "of the probes; 0 = one grey level (official: .001)", .unit = "[0,1] pixels", .min = 0, .max = 1}),
        field("step-size", &Options::step_size,
              {.help = "of one step; 0 = 2.5 eps / steps (official: .1 in l2)",
               .unit = "[0,1] pixels",
               .min = 0,
               .max = 1000}),
        field("tile", &Options::tile,
              {.help = "side of the noise that is repeated over the image; 0 = the image (official: 32)",
               .unit = "pixels",
               .min = 0,
               .max = 65536}),
        field("variant", &Options::variant, {"paper", "official"},
              {.help = "official: MSU's code, steps along the estimate scaled to one l2 length"})};
    return kFields;
  }
  Nes(const Item& item, const Options& options)
      : item_(item),
        official_(options.variant == SearchVariant::kOfficial),
        pairs_(std::min(options.pairs, (item.queries - 1) / 2)),
        steps_(pairs_ > 0 ? item.queries / (2 * pairs_ + 1) : 0),
        x_(item.clean) {
    constexpr double kOfficialSigma = 0.001;
    constexpr double kOfficialStep = 0.1;
    constexpr std::int64_t kOfficialTile = 32;
    const auto or_default = [](auto given, auto usual) { return given > 0 ? given : usual; };
    sigma_ = or_default(options.sigma, official_ ? kOfficialSigma : 1.0 / 255.0);
    const double usual_step = 2.5 * item.epsilon() / static_cast<double>(std::max<std::int64_t>(steps_, 1));
    step_size_ = or_default(options.step_size, official_ ? kOfficialStep : usual_step);
    const auto tile = or_default(options.tile, official_ ? kOfficialTile : std::max(item.height(), item.width()));
    estimate_ = torch::zeros({3, std::min(tile, item.height()), std::min(tile, item.width())});
  }

  torch::Tensor ask() override {
    if (step_ == steps_) {
      return {};
    }
    if (probe_ == 2 * pairs_) {
      x_ = item_.project(x_ + tiled(step()));
      return item_.round(x_);
    }
    const bool forward = probe_ % 2 == 0;
    if (forward) {
      draw();
    }
    const auto probe = x_ + (forward ? sigma_ : -sigma_) * tiled(noise_);
    return official_ ? item_.project(probe) : item_.round(probe);
  }
  void tell(double value) override {
    if (probe_ == 2 * pairs_) {
      estimate_.zero_();
      probe_ = 0;
      ++step_;
      return;
    }
    if (probe_ % 2 == 0) {
      forward_value_ = value;
    } else {
      estimate_ += (forward_value_ - value) * noise_;
    }
    ++probe_;
  }

 private:
  void draw() {
    auto rng = item_.rng("nes", draws_++);
    noise_ = models::noise_like(estimate_, 1.0, rng.next());
  }
  [[nodiscard]] torch::Tensor step() const {
    if (!official_) {
      return step_size_ * estimate_.sign();
    }
    constexpr double kTiny = 1e-12;
    return step_size_ * estimate_ / std::max(estimate_.norm().item<double>(), kTiny);
  }
  /// Repeated over the image from its upper left corner.
  [[nodiscard]] torch::Tensor tiled(const torch::Tensor& tile) const {
    const auto times = [](std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; };
    return tile.repeat({1, times(item_.height(), tile.size(1)), times(item_.width(), tile.size(2))})
        .slice(1, 0, item_.height())
        .slice(2, 0, item_.width())
        .to(item_.clean.device());
  }

  Item item_;
  bool official_;
  std::int64_t pairs_;
  std::int64_t steps_;
  double sigma_ = 0;
  double step_size_ = 0;
  torch::Tensor x_;
  torch::Tensor noise_;     ///< [3,T,T] on the CPU
  torch::Tensor estimate_;  ///< same, of the gradient, up to a factor
  double forward_value_ = 0;
  std::int64_t probe_ = 0;  ///< of this step: two for each pair, then the iterate itself
  std::int64_t step_ = 0;
  std::uint64_t draws_ = 0;
};

}  // namespace

std::vector<AttackInfo> random_search_attacks() {
  return {
      attack_entry<SearchAttack<Square>>({.name = "square",
                                          .help = "squares of the full budget at random places; what helps is kept",
                                          .source = "Andriushchenko et al. 2020",
                                          .box = Box::kBlack,
                                          .cost = "queries F"}),
      attack_entry<SearchAttack<Nes>>({.name = "nes",
                                       .help = "steps along a gradient estimated from pairs of scores",
                                       .source = "Ilyas et al. 2018",
                                       .box = Box::kBlack,
                                       .cost = "queries F"}),
      attack_entry<SearchAttack<Simba>>({.name = "simba",
                                         .help = "orthogonal directions one after the other; what helps is kept",
                                         .source = "Guo et al. 2019",
                                         .box = Box::kBlack,
                                         .cost = "queries F"}),
      attack_entry<RandomSigns>({.name = "random",
                                 .help = "signs of the full budget at random: the baseline, no search",
                                 .source = "none: a baseline",
                                 .box = Box::kBlack,
                                 .cost = "0",
                                 .searches = false}),
  };
}

}  // namespace steadyiqa::attacks
