// The program's entry.
#pragma once

namespace steadyiqa::cli {

/// Parses, runs one sub-command, translates errors into one line on stderr and an exit code.
int run_cli(int argc, char** argv);

}  // namespace steadyiqa::cli
