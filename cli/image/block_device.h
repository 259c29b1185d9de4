#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::image {

// A disk, as the kernel tells of it.
struct BlockDevice {
  std::string path;   // "/dev/sdb", whatever link led there
  std::string model;  // "Generic STORAGE DEVICE"; "" when it does not say
  std::uint64_t size = 0;
  bool read_only = false;
  // What this machine does with it or a partition of it: "sdb1 is mounted on /media/card".
  std::vector<std::string> uses;
};

// `not_found`; `invalid_argument` for what is no disk: a file, or a partition of one.
Result<BlockDevice> look_at_device(const std::string& path);

// The same by device number; `sys` and `proc` are where the kernel tells.
struct DeviceNumber {
  unsigned major = 0, minor = 0;
};
Result<BlockDevice> look_at_device(DeviceNumber number, const std::string& sys,
                                   const std::string& proc);

}  // namespace dunlin::image
