// Runs the command line within the test's own process.
#pragma once

#include "cli/cli.h"
#include "cli/run_program.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace steadyiqa::testing {

/// What the program's main does, within this process: starting the program takes longer than all the rest.
inline Outcome run_here(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "steadyiqa");
  std::vector<char*> argv;
  for (auto& argument : arguments) {
    argv.push_back(argument.data());
  }
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const int exit_code = cli::run_cli(static_cast<int>(argv.size()), argv.data());
  auto out = ::testing::internal::GetCapturedStdout();
  return {exit_code, std::move(out), ::testing::internal::GetCapturedStderr()};
}

}  // namespace steadyiqa::testing
