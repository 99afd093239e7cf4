// Attacks that hide their change where it is hard to see: MADC, SSAH, IOI. White-box.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

[[nodiscard]] std::vector<AttackInfo> concealed_attacks();

}  // namespace steadyiqa::attacks
