// Parsimonious: flips of blocks between the two ends of the budget, chosen greedily. Black-box, l-infinity.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

[[nodiscard]] std::vector<AttackInfo> parsimonious_attacks();

}  // namespace steadyiqa::attacks
