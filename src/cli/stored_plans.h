// What `results` and `report` share: the plans of a store.
#pragma once

#include "evaluation/result_store.h"

#include <string>
#include <vector>

namespace steadyiqa::cli {

/// A store that is there, to be read. Throws Error(kInput).
[[nodiscard]] evaluation::ResultStore open_store(const std::string& path);

/// The plans by protocol and image set: what can stand in one table. `protocol`: only this one, by name or the begin of
/// its digest; "" = all. Throws Error(kInput) when there is none.
[[nodiscard]] std::vector<std::vector<evaluation::StoredPlan>> tables_of(evaluation::ResultStore& store,
                                                                         const std::string& protocol);

}  // namespace steadyiqa::cli
