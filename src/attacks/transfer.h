// Attacks made on another model and shown to the victim, which is asked nothing meanwhile.
#pragma once

#include "attacks/catalogue.h"

#include <vector>

namespace steadyiqa::attacks {

/// The entries `transfer` and `korhonen-surrogate`. Their parameter `source` is a model file of any architecture; all
/// that is not their own goes to the attack that runs on it. make throws Error(kUsage) without a source and for an
/// attack that is not white-box on single images, Error(kInput) naming the file for one that cannot be loaded or has no
/// calibrated score: its raw score does not say which way is up.
[[nodiscard]] std::vector<AttackInfo> transfer_attacks();

}  // namespace steadyiqa::attacks
