#pragma once

namespace steadyiqa {

/// Cores that this process may run on, hyper-threads of one core counted once. At least 1.
[[nodiscard]] int physical_cores();

}  // namespace steadyiqa
