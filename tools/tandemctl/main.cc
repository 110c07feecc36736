// SPDX-License-Identifier: Apache-2.0
//
// tandemctl: operates a running tandemd over its admin socket.
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "tools/tandemctl/run.h"

int main(int argc, char** argv) {
  // `tandemctl show connection | head` ends quietly.
  std::signal(SIGPIPE, SIG_DFL);
  std::ios::sync_with_stdio(false);
  return tandem::tandemctl::Run(std::vector<std::string>(argv + 1, argv + argc),
                                {std::cin, std::cout, std::cerr});
}
