#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin::test {

// An emulated machine boots in seconds, and in many when others need the processor.
inline constexpr std::chrono::minutes kBoot{3};

// What a file holds; nothing when there is none.
std::string text_of(const std::string& path);

// A device in QEMU, with a disk of its own that it keeps.
class Machine {
 public:
  Machine(const TempDir& folder, std::string image)
      : image_(std::move(image)),
        log_(folder.file("console.log")),
        disk_(folder.file("device.disk")) {}

  Result<void> start(std::vector<std::string> options = {});
  void cut_power();  // QEMU is gone, as a whole
  bool running() { return process_.running(); }
  std::string console() const;  // of all boots
  // Readings in its database, as its disk has them now; it must be off.
  Result<std::int64_t> readings_on_disk(const TempDir& folder) const;
  const std::string& disk() const { return disk_; }
  void new_disk() { std::filesystem::remove(disk_); }  // made from the image at the next start

 private:
  std::string image_, log_, disk_;
  ChildProcess process_;
};

}  // namespace dunlin::test
