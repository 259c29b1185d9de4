#pragma once

#include <string>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::image {

// Makes a machine's disk from an image where there is none, whole or not at all, and keeps one that
// is there. True when that is older than the image: the machine does not run what the image has.
Result<bool> provide_disk(const std::string& image, const std::string& disk);

struct RunOptions {
  std::string disk;               // of the machine
  std::string profiles;           // the folder of all classes
  bool clock = true;              // else it wakes in 1970
  std::vector<std::string> qemu;  // more of its options, after ours
};

// Becomes QEMU with the machine of the disk's profile; the console is our standard input and
// output, the host is 10.0.2.2 to it. Returns on an error alone: `unsupported` when QEMU has no
// such machine.
Error become_machine(const RunOptions& options);

}  // namespace dunlin::image
