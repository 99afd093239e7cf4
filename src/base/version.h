#pragma once

namespace steadyiqa {

/// In every output.
inline constexpr const char* kVersion = "0.1.0";

}  // namespace steadyiqa
