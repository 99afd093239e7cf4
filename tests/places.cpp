#include "places.h"

namespace steadyiqa::testing {

std::filesystem::path repository() { return STEADYIQA_REPOSITORY; }

std::filesystem::path program() { return STEADYIQA_PROGRAM; }

}  // namespace steadyiqa::testing
