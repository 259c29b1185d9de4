#pragma once

#include <string>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::image {

struct RunOptions {
  std::string image;
  std::string disk;      // of the machine: made from the image when it is not there, and kept
  std::string profiles;  // the folder of all classes
  bool clock = true;     // else it wakes in 1970
  std::vector<std::string> qemu;  // more of its options, after ours
};

// Becomes QEMU with the machine of the image's profile; the console is our standard input and
// output, the host is 10.0.2.2 to it. Returns on an error alone: `unsupported` when QEMU has no
// such machine.
Error become_machine(const RunOptions& options);

}  // namespace dunlin::image
