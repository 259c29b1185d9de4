#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cli/image/command.h"

namespace dunlin::test {

// A file of its own that the kernel takes for a disk, as long as this lives; root makes one.
class LoopDevice {
 public:
  LoopDevice(std::string file, std::uint64_t size, const std::vector<std::string>& options = {})
      : file_(std::move(file)) {
    std::ofstream(file_).close();
    std::filesystem::resize_file(file_, size);
    image::Command command{{"losetup", "--find", "--show"}};
    command.argv.insert(command.argv.end(), options.begin(), options.end());
    command.argv.push_back(file_);
    Result<std::string> said = image::run(command);
    if (said.ok()) path_ = said->substr(0, said->find('\n'));
  }
  ~LoopDevice() {
    if (there()) (void)image::run({{"losetup", "--detach", path_}});
  }
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;

  bool there() const { return !path_.empty(); }
  const std::string& path() const { return path_; }
  const std::string& file() const { return file_; }

 private:
  std::string file_, path_;
};

}  // namespace dunlin::test
