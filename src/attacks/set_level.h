// Attacks on the ranking of a set: each image is given a score to reach, so that the order of the set falls apart.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

[[nodiscard]] std::vector<AttackInfo> set_level_attacks();

}  // namespace steadyiqa::attacks
