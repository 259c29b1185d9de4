#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/image/disk.h"
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
  // A number that a query of its database gives, as its disk has it now: what the device would find
  // if the power failed.
  Result<std::int64_t> on_disk(const TempDir& folder, const std::string& query) const;
  Result<std::int64_t> readings_on_disk(const TempDir& folder) const;
  // While it is off: what its data partition has free; and a file there that takes it but for so
  // many bytes. The file is there until the next call; with everything left there is none.
  Result<std::uint64_t> free_data() const;
  Result<void> leave_free(const TempDir& folder, std::uint64_t left);
  // The data partition's first 4 KiB, where its file system says what it is; or all of it.
  Result<void> spoil_superblock();
  Result<void> spoil_data();
  const std::string& disk() const { return disk_; }
  // While it is off: its boot slot, as mtools take it.
  std::string boot_slot() const;
  void new_disk() { std::filesystem::remove(disk_); }  // made from the image at the next start

 private:
  Result<image::Extent> data_partition() const;
  Result<std::string> data_file_system() const;  // repaired, as e2fsprogs take it
  Result<void> overwrite_data(std::uint64_t size);

  std::string image_, log_, disk_;
  ChildProcess process_;
};

}  // namespace dunlin::test
