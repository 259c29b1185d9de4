#include "cli/image/write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <vector>

#include "cli/image/command.h"
#include "cli/image/files.h"

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 4 << 20;
constexpr std::size_t kMemoryPage = 4096;  // what O_DIRECT wants things aligned to

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

// The device and its partitions, as "major:minor", and their names.
struct Family {
  std::set<std::string> numbers, names;
};

Family family_of(const fs::path& block) {
  Family family;
  const auto add = [&](const fs::path& each) {
    family.numbers.insert(first_line(each / "dev"));
    family.names.insert(each.filename().string());
  };
  add(block);
  for (const auto& each : fs::directory_iterator(block))
    if (fs::exists(each.path() / "partition")) add(each.path());
  return family;
}

Result<void> check_unused(const fs::path& block, const std::string& path, const Kernel& kernel) {
  const Family family = family_of(block);
  std::ifstream mounts(kernel.mounts);
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id, parent, number, root, point;
    words >> id >> parent >> number >> root >> point;
    if (family.numbers.contains(number))
      return {Errc::exists, path + " is in use: mounted at " + point};
  }
  std::ifstream swaps(kernel.swaps);
  for (std::string line; std::getline(swaps, line);)
    if (family.names.contains(fs::path(line.substr(0, line.find(' '))).filename().string()))
      return {Errc::exists, path + " is in use: memory is swapped to it"};
  for (const std::string& name : family.names) {
    const fs::path holders =
        name == block.filename() ? block / "holders" : block / name / "holders";
    if (fs::exists(holders) && !fs::is_empty(holders))
      return {Errc::exists,
              path + " is in use: " + fs::directory_iterator(holders)->path().filename().string() +
                  " is made of it"};
  }
  return {};
}

// An open file, closed when it goes.
class Opened {
 public:
  Opened(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~Opened() {
    if (fd_ >= 0) ::close(fd_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Error io(const std::string& path) {
  return {Errc::io, path + ": " + std::strerror(errno)};
}

using Block = std::unique_ptr<char, void (*)(void*)>;
Block make_block() {
  return {static_cast<char*>(std::aligned_alloc(kMemoryPage, kBlock)), &std::free};
}

// Fills as much of the block as there is; false on an error.
bool read_block(int fd, char* block, std::size_t size, std::uint64_t at) {
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = ::pread(fd, block + done, size - done, static_cast<off_t>(at + done));
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

std::size_t block_size(std::uint64_t left) {
  return left < kBlock ? static_cast<std::size_t>(left) : kBlock;
}

Result<void> copy(const WriteOptions& options, std::uint64_t size) {
  const Opened from(options.disk, O_RDONLY), to(options.device, O_WRONLY);
  if (from.fd() < 0) return io(options.disk);
  if (to.fd() < 0) return io(options.device);
  const Block block = make_block();
  for (std::uint64_t at = 0; at < size; at += kBlock) {
    const std::size_t part = block_size(size - at);
    if (!read_block(from.fd(), block.get(), part, at)) return io(options.disk);
    for (std::size_t done = 0; done < part;) {
      const ssize_t put =
          ::pwrite(to.fd(), block.get() + done, part - done, static_cast<off_t>(at + done));
      if (put <= 0) return io(options.device);
      done += static_cast<std::size_t>(put);
    }
    if (options.progress) options.progress(at + part, 2 * size);
  }
  if (::fsync(to.fd()) != 0) return io(options.device);
  return {};
}

Result<void> compare(const WriteOptions& options, std::uint64_t size) {
  const Opened from(options.disk, O_RDONLY);
  const auto open = [&](int flags) {
    return std::make_unique<Opened>(options.device, O_RDONLY | flags);
  };
  std::unique_ptr<Opened> device = open(O_DIRECT);
  if (device->fd() < 0) device = open(0);  // a file system without it
  if (from.fd() < 0) return io(options.disk);
  if (device->fd() < 0) return io(options.device);
  const Block written = make_block(), read = make_block();
  for (std::uint64_t at = 0; at < size; at += kBlock) {
    const std::size_t part = block_size(size - at);
    if (!read_block(from.fd(), written.get(), part, at)) return io(options.disk);
    if (!read_block(device->fd(), read.get(), part, at)) return io(options.device);
    if (std::memcmp(written.get(), read.get(), part) != 0)
      return {Errc::corrupt, options.device +
                                 " does not give back what was written to it, from byte " +
                                 std::to_string(at) + " on"};
    if (options.progress) options.progress(size + at + part, 2 * size);
  }
  return {};
}

Result<std::uint64_t> end_of(const std::string& path) {
  const Opened file(path, O_RDONLY);
  const off_t end = file.fd() < 0 ? -1 : ::lseek(file.fd(), 0, SEEK_END);
  if (end < 0) return io(path);
  return static_cast<std::uint64_t>(end);
}

// GPT keeps a copy of itself at the end of the device, which has moved.
Result<void> expand(const std::string& device) {
  DUNLIN_ASSIGN(const std::string table, run({{"sfdisk", "--dump", device}}));
  if (table.find("label: gpt") != std::string::npos)
    DUNLIN_TRY(run({{"sfdisk", "--quiet", "--relocate", "gpt-bak-std", device}}));
  DUNLIN_TRY(
      run({.argv = {"sfdisk", "--quiet", "--no-reread", "-N", "4", device}, .stdin_text = ",+\n"}));
  return {};
}

}  // namespace

Result<Device> find_device(const std::string& path, const Kernel& kernel) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return io(path);
  if (!S_ISBLK(status.st_mode)) return Error{Errc::invalid_argument, path + " is no block device"};
  const std::string number =
      std::to_string(major(status.st_rdev)) + ":" + std::to_string(minor(status.st_rdev));
  std::error_code failed;
  const fs::path block = fs::canonical(kernel.sys + "/dev/block/" + number, failed);
  if (failed) return Error{Errc::not_found, path + " is not known to the kernel"};
  if (fs::exists(block / "partition"))
    return Error{Errc::invalid_argument, path + " is a part of " +
                                             block.parent_path().filename().string() +
                                             ": an image goes to a whole device"};
  DUNLIN_TRY(check_unused(block, path, kernel));
  Device device{path, first_line(block / "device/model"), 0};
  if (device.model.empty()) device.model = first_line(block / "device/name");  // of SD cards
  device.size = std::strtoull(first_line(block / "size").c_str(), nullptr, 10) * 512;
  return device;
}

Result<void> write(const WriteOptions& options) {
  DUNLIN_ASSIGN(const std::uint64_t size, size_of(options.disk));
  DUNLIN_ASSIGN(const std::uint64_t room, end_of(options.device));
  if (room < size)
    return {Errc::too_large, options.device + " has " + std::to_string(room) +
                                 " bytes, the image needs " + std::to_string(size)};
  DUNLIN_TRY(copy(options, size));
  DUNLIN_TRY(compare(options, size));
  if (options.expand && room > size) return expand(options.device);
  return {};
}

}  // namespace dunlin::image
