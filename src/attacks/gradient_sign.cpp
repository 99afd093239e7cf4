#include "attacks/gradient_sign.h"

#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

/// x + eps * sign(grad) (Goodfellow, Shlens, Szegedy 2015): one step of the full budget (a smaller step would be an
/// attack of that smaller budget).
class Fgsm : public Attack {
 public:
  struct Options {};
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields;
    return kFields;
  }
  explicit Fgsm(Options /*none*/) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    return problem.clean() + problem.epsilon() * problem.gradient(problem.clean()).gradient.sign();
  }
};

struct StepOptions {
  std::int64_t steps = 10;
  double step_size = 0.0;  ///< [0,1] pixels; 0 = step_of's default
};

template <class O>
FieldTable<O> step_fields(const std::string& default_step) {
  return {
      field("steps", static_cast<std::int64_t O::*>(&O::steps), {.help = "gradient steps", .min = 1, .max = 100000}),
      field("step-size", static_cast<double O::*>(&O::step_size),
            {.help = "of one step, [0,1] pixels; 0 = " + default_step, .unit = "[0,1] pixels", .min = 0, .max = 1})};
}

/// 2.5 eps / steps (Madry et al. 2018), so that the edge of the box can be reached from anywhere in it.
double step_of(const StepOptions& options, const Problem& problem) {
  const double usual = 2.5 * problem.epsilon() / static_cast<double>(options.steps);
  return options.step_size > 0 ? options.step_size : usual;
}

/// `steps` times: x <- project(x + a * sign(grad)) (Kurakin, Goodfellow, Bengio 2017).
class IteratedFgsm : public Attack {
 public:
  using Options = StepOptions;
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = step_fields<Options>("2.5 eps / steps");
    return kFields;
  }
  explicit IteratedFgsm(Options options) : options_(options) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    const double size = step_of(options_, problem);
    auto x = problem.clean();
    for (std::int64_t step = 0; step < options_.steps; ++step) {
      x = problem.project(x + size * problem.gradient(x).gradient.sign());
    }
    return x;
  }
  Options options_;
};

struct PgdOptions : StepOptions {
  std::int64_t restarts = 1;
};

/// I-FGSM from a uniform random start in the eps-box (Madry et al. 2018), the best of `restarts` after rounding.
class Pgd : public Attack {
 public:
  using Options = PgdOptions;
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = [] {
      auto table = step_fields<Options>("2.5 eps / steps");
      table.push_back(field("restarts", &Options::restarts, {.help = "random starts", .min = 1, .max = 1000}));
      return table;
    }();
    return kFields;
  }
  explicit Pgd(Options options) : options_(options) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    const double size = step_of(options_, problem);
    torch::Tensor best;
    torch::Tensor best_values;
    for (std::int64_t restart = 0; restart < options_.restarts; ++restart) {
      const auto start = problem.random("pgd", static_cast<std::uint64_t>(restart),
                                        [&](Rng& rng) { return rng.uniform(-problem.epsilon(), problem.epsilon()); });
      auto x = problem.project(problem.clean() + start);
      for (std::int64_t step = 0; step < options_.steps; ++step) {
        x = problem.project(x + size * problem.gradient(x).gradient.sign());
      }
      if (options_.restarts == 1) {
        return x;
      }
      const auto values = problem.values(problem.round(x));
      if (!best.defined()) {
        best = x;
        best_values = values;
      }
      Problem::keep_better(best, best_values, x, values);
    }
    return best;
  }
  Options options_;
};

enum class MomentumVariant { kPaper, kOfficial };

struct MomentumOptions : StepOptions {
  double decay = 1.0;
  MomentumVariant variant = MomentumVariant::kPaper;
};

/// Momentum I-FGSM (Dong et al. 2018): g <- decay * g + grad / ||grad||_1, x <- project(x + a sign(g)), a = eps /
/// steps. official: MSU's benchmark, which adds the gradient as it is.
class MomentumFgsm : public Attack {
 public:
  using Options = MomentumOptions;
  static const FieldTable<Options>& fields() {
    static const FieldTable<Options> kFields = [] {
      auto table = step_fields<Options>("eps / steps");
      table.push_back(field("decay", &Options::decay, {.help = "of the momentum", .min = 0, .max = 1}));
      table.push_back(field("variant", &Options::variant, {"paper", "official"},
                            {.help = "official: MSU's code, no l1 normalisation of the gradient"}));
      return table;
    }();
    return kFields;
  }
  explicit MomentumFgsm(Options options) : options_(options) {}

 private:
  [[nodiscard]] torch::Tensor perturb(Problem& problem) const override {
    const double usual = problem.epsilon() / static_cast<double>(options_.steps);
    const double size = options_.step_size > 0 ? options_.step_size : usual;
    auto x = problem.clean();
    auto momentum = torch::zeros_like(x);
    for (std::int64_t step = 0; step < options_.steps; ++step) {
      auto gradient = problem.gradient(x).gradient;
      if (options_.variant == MomentumVariant::kPaper) {
        constexpr double kTiny = 1e-12;
        gradient = gradient / gradient.abs().sum({1, 2, 3}, /*keepdim=*/true).clamp_min(kTiny);
      }
      momentum = options_.decay * momentum + gradient;
      x = problem.project(x + size * momentum.sign());
    }
    return x;
  }
  Options options_;
};

}  // namespace

std::vector<AttackInfo> gradient_sign_attacks() {
  return {
      attack_entry<Fgsm>({.name = "fgsm",
                          .help = "one step of the full budget along the gradient's sign",
                          .source = "Goodfellow et al. 2015",
                          .cost = "1 B"}),
      attack_entry<IteratedFgsm>({.name = "ifgsm",
                                  .help = "projected steps along the gradient's sign",
                                  .source = "Kurakin et al. 2017",
                                  .cost = "steps B"}),
      attack_entry<Pgd>({.name = "pgd",
                         .help = "ifgsm from random starts in the box",
                         .source = "Madry et al. 2018",
                         .cost = "restarts (steps B + 1 F)"}),
      attack_entry<MomentumFgsm>({.name = "mifgsm",
                                  .help = "ifgsm along a running sum of gradients",
                                  .source = "Dong et al. 2018",
                                  .cost = "steps B"}),
  };
}

}  // namespace steadyiqa::attacks
