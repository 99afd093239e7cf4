#include "cli/cli.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  const int code = steadyiqa::cli::run_cli(argc, argv);
  std::cout.flush();
  std::fflush(nullptr);
  // Not through libtorch's static destructors: they take thousands of operators out of its tables one by one, a sixth
  // of what a process costs that does nothing else. Nothing of ours is left by now: run_cli's objects are gone.
  std::_Exit(code);
}
