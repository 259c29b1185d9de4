#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::bench {

struct FirmwareOptions {
  std::string profile;  // a class that QEMU has a machine for
  std::vector<std::string> parts{"sizes", "boot", "live", "writes"};
  int boots = 3;                      // of each
  std::chrono::seconds live{120};     // of the clock on the wall
  std::chrono::seconds window{3600};  // of the device's clock, which runs ahead when it waits
  std::uint64_t readings = 100'000;   // in the log whose memory is measured
};

// Measures the images of a class, booted in QEMU beside a broker and a gateway on this machine, and
// prints each figure when it has it: sizes; boot to the first reading at the gateway, beside an
// initial memory disk that does no more than send a byte; memory, wake-ups and CPU time; bytes
// issued to the disk at several flush intervals. `firmware-profiles/build CLASS` comes first.
Result<void> run_firmware(const FirmwareOptions& options);

}  // namespace dunlin::bench
