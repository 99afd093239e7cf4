// Steps along the sign of the gradient: FGSM, I-FGSM, PGD, MI-FGSM. White-box, l-infinity.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

[[nodiscard]] std::vector<AttackInfo> gradient_sign_attacks();

}  // namespace steadyiqa::attacks
