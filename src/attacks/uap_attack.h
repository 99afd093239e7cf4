// The attack that adds a universal perturbation.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

[[nodiscard]] std::vector<AttackInfo> uap_attacks();

}  // namespace steadyiqa::attacks
