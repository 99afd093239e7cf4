// Black-box attacks that try random changes or directions: Square, SimBA, NES, and the baseline that only adds noise.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

[[nodiscard]] std::vector<AttackInfo> random_search_attacks();

}  // namespace steadyiqa::attacks
