// APGD: projected steps whose size follows their success. White-box, l-infinity.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

[[nodiscard]] std::vector<AttackInfo> apgd_attacks();

}  // namespace steadyiqa::attacks
