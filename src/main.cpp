#include "cli/cli.h"

int main(int argc, char** argv) { return steadyiqa::cli::run_cli(argc, argv); }
