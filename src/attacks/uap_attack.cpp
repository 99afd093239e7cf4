#include "attacks/uap_attack.h"

#include "attacks/uap.h"
#include "base/error.h"

#include <torch/torch.h>

#include <algorithm>
#include <string>

namespace steadyiqa::attacks {
namespace {

/// x + k u, u tiled from the top left corner on. A perturbation that was trained one way pushes that way whatever is
/// wanted; a signed one has one for each.
class UniversalPerturbation : public Attack {
 public:
  struct Options {
    std::string file;
    double amplitude = 0;  ///< k; 0 = so that the largest value is epsilon
  };
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = {
        field("file", &Options::file, {.help = "the perturbation, made by steadyiqa attack train uap"}),
        field("amplitude", &Options::amplitude,
              {.help = "what the perturbation is multiplied with; 0 = so that its largest value is the budget",
               .min = 0,
               .max = 1000})};
    return kFields;
  }
  explicit UniversalPerturbation(const Options& options) : file_(options.file), amplitude_(options.amplitude) {
    if (options.file.empty()) {
      fail_usage("attack 'uap' needs file=PATH: a perturbation that steadyiqa attack train uap made");
    }
    uap_ = read_uap(options.file);
  }
  [[nodiscard]] bool trained_on(const torch::Tensor& pixels) const override { return uap_.trained_on(pixels); }
  [[nodiscard]] std::vector<std::string> caveats(const std::string& victim_sha256) const override {
    if (uap_.model_sha256 != victim_sha256) {
      return {};
    }
    return {fmt::format("{} was trained on the victim itself: this is a white-box attack", file_)};
  }

 private:
  /// The square at its amplitude, over the image.
  [[nodiscard]] torch::Tensor change(const torch::Tensor& square, const Problem& problem) const {
    constexpr double kTiny = 1e-12;  // of a perturbation of a constant score, which is 0
    const double fitting = problem.epsilon() / std::max(square.abs().max().item<double>(), kTiny);
    const auto scaled = (amplitude_ > 0 ? amplitude_ : fitting) * square;
    return tiled(scaled, problem.clean().size(2), problem.clean().size(3)).to(problem.clean().options());
  }

  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    const auto up = change(uap_.up, problem);
    if (!uap_.down.defined()) {
      return problem.clean() + up;
    }
    const auto wants_up = (problem.sign() > 0).view({-1, 1, 1, 1});
    return problem.clean() + torch::where(wants_up, up, change(uap_.down, problem));
  }

  std::string file_;
  double amplitude_;
  Uap uap_;
};

}  // namespace

std::vector<AttackInfo> uap_attacks() {
  return {
      with_file_digest(attack_entry<UniversalPerturbation>({.name = "uap",
                                                            .help = "one trained perturbation for all images, tiled",
                                                            .source = "Shumitskaya et al. 2022",
                                                            .box = Box::kTransfer,
                                                            .cost = "none",
                                                            .searches = false}),
                       "file")};
}

}  // namespace steadyiqa::attacks
