// Runs a callable that must throw Error and hands back its kind and message.
#pragma once

#include "base/error.h"

#include <gtest/gtest.h>

#include <string>

namespace steadyiqa::testing {

/// The message of the Error of the given kind that `run` throws; anything else is a test failure and "".
template <class Run>
std::string error_message(ErrorKind kind, Run run) {
  try {
    run();
    ADD_FAILURE() << "no error thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "";
}

}  // namespace steadyiqa::testing
