#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/image/block_device.h"
#include "cli/image/files.h"

namespace dunlin::image {

// An image on its way to a disk.
class Writing {
 public:
  // Changes nothing. `invalid_argument` when the device is no disk, is read-only, or in use by this
  // machine, as its own disk is; `too_large` for it; `malformed` when the file is no image of ours.
  static Result<Writing> prepare(const std::string& image, const std::string& device);

  const BlockDevice& device() const { return device_; }
  std::uint64_t size() const { return size_; }

  // Of size() bytes so many are written, or read back.
  using Progress = std::function<void(std::string_view step, std::uint64_t done)>;
  // All that was on the disk is lost. Nobody can mount it meanwhile. `corrupt` when what is read
  // back, from the disk itself, is not what was written; `io` with what it said.
  Result<void> write(const Progress& progress) const;
  // After write(): the last partition, that of the log, reaches to the end of the disk. Its file
  // system follows when the device boots.
  Result<void> expand() const;

 private:
  Writing(BlockDevice device, WorkFolder work, std::uint64_t size)
      : device_(std::move(device)), work_(std::move(work)), size_(size) {}
  std::string disk() const { return work_.file("disk"); }

  BlockDevice device_;
  WorkFolder work_;
  std::uint64_t size_;
};

}  // namespace dunlin::image
