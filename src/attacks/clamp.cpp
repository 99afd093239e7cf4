#include "attacks/clamp.h"

#include <torch/torch.h>

namespace steadyiqa::attacks {

torch::Tensor clamp_ends_included(const torch::Tensor& x, double low, double high) {
  const auto cut = x.detach().clamp(low, high);
  return torch::where(cut == x.detach(), x, cut);
}

}  // namespace steadyiqa::attacks
