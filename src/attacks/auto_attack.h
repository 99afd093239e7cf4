// The ensemble to use when a number is to mean something: as AutoAttack (Croce, Hein 2020) is for labels.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

[[nodiscard]] std::vector<AttackInfo> auto_attacks();

}  // namespace steadyiqa::attacks
