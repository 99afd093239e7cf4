// Where tests find what is not compiled into them.
#pragma once

#include <filesystem>

namespace steadyiqa::testing {

/// The root of the checkout that the tests were built from.
std::filesystem::path repository();

/// The program under test, built.
std::filesystem::path program();

}  // namespace steadyiqa::testing
