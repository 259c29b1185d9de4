#pragma once

#include <string>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::image {

// A program that does part of the work. Its arguments go to it as they are: no shell reads them.
struct Command {
  std::vector<std::string> argv;      // from PATH, /usr/sbin or /sbin
  std::vector<std::string> env = {};  // NAME=value, on top of our own
  std::string stdin_text = {};
};

// What it printed to standard output. `not_found` when there is no such program, with the Debian
// package to install where we know it; `io` when it fails, with the end of what it said.
Result<std::string> run(const Command& command);

// Becomes that program; returns when that fails alone.
Error become(const Command& command);

}  // namespace dunlin::image
