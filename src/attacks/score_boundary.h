// The score-boundary attack: an image is pushed over one score after the other by changes that are not seen. Black-box.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

[[nodiscard]] std::vector<AttackInfo> score_boundary_attacks();

}  // namespace steadyiqa::attacks
