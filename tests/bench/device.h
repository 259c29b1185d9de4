#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/image/build.h"
#include "dunlin/result.h"
#include "tests/firmware/machine.h"

namespace dunlin::bench {

// What the agent of an image has used so far; sizes are in bytes.
struct Usage {
  double uptime = 0;  // of the device, in seconds
  double pid = 0;
  double resident = 0;
  double private_clean = 0, private_dirty = 0;
  std::map<std::string, double> clean_of;  // by name: files that have 100 KiB or more of the former
  double cpu = 0;                          // seconds
  double wakeups = 0;                      // of all its threads: how often one waited
  double written = 0;  // to the disk as a whole, as the device's kernel issued it
};
// Every complete report on a console (tests/bench/image/measure).
std::vector<Usage> read_usages(const std::string& console);

// A device of a class in QEMU whose image differs from the class's by what is to be measured.
class Device {
 public:
  struct Options {
    std::string profile;
    std::string bundle;
    std::string flush_interval = {};  // in place of the profile's
    std::string settings = {};        // more of the agent's configuration
    bool inputs = true;               // those that the image has anyway
    // Reports what the agent uses after a while, and once more after the next.
    std::chrono::seconds warm_up{0}, window{0};
    // Nothing but an address and a byte to this port of ours.
    std::uint16_t bare_port = 0;
  };
  static Result<std::unique_ptr<Device>> make(const Options& options);

  // The image of a class as it is, and what it says of itself.
  static Result<image::BuiltImage> image_of(const std::string& profile, const std::string& out);

  // Where its programs are.
  static std::string programs_of(const std::string& profile);

  // Before its first start: its data partition holds what is in that folder.
  Result<void> put_data(const std::string& folder);
  test::Machine& machine() { return machine_; }

 private:
  Device() = default;
  Result<void> change_profiles(const Options& options);

  test::TempDir folder_;
  test::Machine machine_{folder_, folder_.file("device.img")};
};

}  // namespace dunlin::bench
