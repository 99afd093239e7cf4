// A gate's verdict for CI servers.
#pragma once

#include "evaluation/gate.h"

#include <span>
#include <string>

namespace steadyiqa::report {

/// JUnit XML: one test suite named `suite`, a test case for each check, a failure with its text where it does not hold.
[[nodiscard]] std::string junit_xml(const std::string& suite, std::span<const evaluation::GateCheck> checks);

}  // namespace steadyiqa::report
