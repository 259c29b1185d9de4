#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "dunlin/result.h"

namespace dunlin::image {

// A card or a disk of this machine.
struct Device {
  std::string path;
  std::string model;  // as it calls itself; may be empty
  std::uint64_t size = 0;
};

// Where the kernel tells of devices; another place for tests.
struct Kernel {
  std::string sys = "/sys";
  std::string mounts = "/proc/self/mountinfo";
  std::string swaps = "/proc/swaps";
};

// A whole block device that nothing of this machine uses: `invalid_argument` for partitions and
// what is no block device, `exists` when it or a part of it is mounted, swapped to or part of
// another device (LVM, RAID, encryption): a system's disk is at least one of these.
Result<Device> find_device(const std::string& path, const Kernel& kernel = {});

struct WriteOptions {
  std::string disk;    // decompressed
  std::string device;  // or a file
  bool expand =
      false;  // the data partition to the end of the device; its file system follows at boot
  std::function<void(std::uint64_t done, std::uint64_t of)> progress;  // writing, then reading back
};
// Writes, flushes and reads back past the page cache; `too_large` when the device is too small,
// `corrupt` when it gives back something else than was written.
Result<void> write(const WriteOptions& options);

}  // namespace dunlin::image
