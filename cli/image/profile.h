#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::image {

// A class of devices: what its folder's profile.toml says of the hardware and of what the agent may
// use of it. Sizes are in bytes.
struct Profile {
  std::string name;  // of the folder: "qemu-arm64"
  std::string description;
  std::string architecture;  // as Debian calls it: "amd64", "arm64" or "armhf"
  std::string cpu;
  std::uint64_t ram = 0;
  std::uint64_t flash = 0;
  std::uint64_t wear_per_day = 0;    // that its life allows to be written
  std::string console;               // of the kernel: "ttyAMA0"
  std::vector<std::string> sensors;  // types of [[input]] that make sense there

  struct Partitions {
    std::uint64_t boot = 0;
    std::uint64_t root = 0;  // each of A and B
    std::uint64_t data = 0;  // at least
  } partitions;

  struct Limits {
    std::uint64_t max_bytes = 0;
    std::uint64_t min_free_bytes = 0;
    std::chrono::microseconds flush_interval{};
  } agent;

  // Where QEMU has such a machine.
  struct Qemu {
    std::string machine;
    std::string cpu;
  };
  std::optional<Qemu> qemu;
};

// The classes of a folder of profiles: its folders that have a profile.toml, in name order.
std::vector<std::string> profile_names(const std::string& profiles);

// Fails with `not_found` where there is no such class, naming those that there are, else with
// `config` and every mistake as `file:line: [section] key: what`: unknown, missing and impossible
// values, and what contradicts: partitions that do not fit the flash, a log that does not fit the
// data partition, an interval that wears the flash out.
Result<Profile> load_profile(const std::string& profiles, const std::string& name);

}  // namespace dunlin::image
