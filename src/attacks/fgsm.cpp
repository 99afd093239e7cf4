// The fast gradient sign method and its iterated form, on a continuous score.
#include "attacks/attack.h"

#include "base/text.h"

#include <torch/torch.h>

namespace steadyiqa::attacks {
namespace {

/// x + eps * sign(grad) (Goodfellow, Shlens, Szegedy 2015): one step of the full budget (a smaller step would be an
/// attack of that smaller budget).
class Fgsm : public Attack {
  [[nodiscard]] torch::Tensor perturb(const Problem& problem) const override {
    return problem.clean + problem.epsilon * problem.gradient(problem.clean).sign();
  }
};

/// `steps` times: x <- project(x + a * sign(grad)) (Kurakin, Goodfellow, Bengio 2017). Default step size 2.5 eps /
/// steps (Madry et al. 2018), so that the edge of the box can be reached from anywhere in it.
class IteratedFgsm : public Attack {
  [[nodiscard]] torch::Tensor perturb(const Problem& problem) const override {
    const double size =
        problem.step_size > 0 ? problem.step_size : 2.5 * problem.epsilon / static_cast<double>(problem.steps);
    auto x = problem.clean;
    for (std::int64_t step = 0; step < problem.steps; ++step) {
      x = problem.project(x + size * problem.gradient(x).sign());
    }
    return x;
  }
};

template <class T>
std::unique_ptr<Attack> make() {
  return std::make_unique<T>();
}

const std::vector<AttackInfo>& table() {
  static const std::vector<AttackInfo> kTable = {
      {"fgsm", "one step of the full budget along the gradient's sign", "Goodfellow et al. 2015", make<Fgsm>},
      {"ifgsm", "projected steps along the gradient's sign", "Kurakin et al. 2017", make<IteratedFgsm>},
  };
  return kTable;
}

}  // namespace

std::span<const AttackInfo> attack_catalogue() { return table(); }

std::unique_ptr<Attack> make_attack(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& info : table()) {
    if (info.name == name) {
      return info.make();
    }
    names.push_back(info.name);
  }
  fail_usage("unknown attack '{}'{}", name, suggestion(name, names));
}

}  // namespace steadyiqa::attacks
