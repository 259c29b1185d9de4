#include "cli/image/block_device.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSector = 512;  // in which sysfs counts, whatever the disk's

// The first line without spaces at its ends; "" when there is none.
std::string line_of(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const std::size_t first = line.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return line.substr(first, line.find_last_not_of(' ') - first + 1);
}

std::string text_of(DeviceNumber number) {
  return std::to_string(number.major) + ":" + std::to_string(number.minor);
}

// The disk and its partitions, by their numbers.
using Names = std::map<std::string, std::string>;
Names names_of(const fs::path& disk) {
  Names names{{line_of(disk / "dev"), disk.filename().string()}};
  std::error_code none;
  for (fs::directory_iterator entry(disk, none), end; entry != end; entry.increment(none)) {
    if (fs::exists(entry->path() / "partition", none))
      names[line_of(entry->path() / "dev")] = entry->path().filename().string();
  }
  return names;
}

// Of a mount or swap, by the device that it says it is on: file systems over several devices have
// numbers of their own.
std::string number_behind(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISBLK(status.st_mode)) return "";
  return text_of({major(status.st_rdev), minor(status.st_rdev)});
}

// proc_pid_mountinfo(5): ID, parent, major:minor, root, mount point, options, optional fields, "-",
// type, source, options.
void add_mounts(const std::string& proc, const Names& names, std::vector<std::string>& uses) {
  std::ifstream mounts(proc + "/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string id, parent, number, root, point, each, type, source;
    fields >> id >> parent >> number >> root >> point;
    while (fields >> each && each != "-") continue;
    fields >> type >> source;
    auto name = names.find(number);
    if (name == names.end()) name = names.find(number_behind(source));
    if (name != names.end()) uses.push_back(name->second + " is mounted on " + point);
  }
}

void add_swaps(const std::string& proc, const Names& names, std::vector<std::string>& uses) {
  std::ifstream swaps(proc + "/swaps");
  std::string line;
  std::getline(swaps, line);  // what the columns are
  while (std::getline(swaps, line)) {
    const auto name = names.find(number_behind(line.substr(0, line.find_first_of(" \t"))));
    if (name != names.end()) uses.push_back(name->second + " is swap space");
  }
}

// RAID, encryption, logical volumes.
void add_holders(const fs::path& disk, const Names& names, std::vector<std::string>& uses) {
  for (const auto& [number, name] : names) {
    const fs::path of = name == disk.filename() ? disk : disk / name;
    std::error_code none;
    for (fs::directory_iterator entry(of / "holders", none), end; entry != end;
         entry.increment(none)) {
      uses.push_back(name + " is a part of " + entry->path().filename().string());
    }
  }
}

std::string model_of(const fs::path& disk) {
  const std::string vendor = line_of(disk / "device/vendor");  // of PCI it is a number
  const std::string model = line_of(disk / "device/model");
  if (model.empty()) return line_of(disk / "device/name");  // of a card
  return vendor.empty() || vendor.starts_with("0x") ? model : vendor + " " + model;
}

}  // namespace

Result<BlockDevice> look_at_device(DeviceNumber number, const std::string& sys,
                                   const std::string& proc) {
  std::error_code failed;
  const fs::path disk = fs::canonical(sys + "/dev/block/" + text_of(number), failed);
  if (failed) return {Errc::not_found, "no block device " + text_of(number)};
  BlockDevice device;
  device.path = "/dev/" + disk.filename().string();
  if (fs::exists(disk / "partition"))
    return {Errc::invalid_argument, device.path + " is a partition of the disk /dev/" +
                                        disk.parent_path().filename().string()};
  device.size = std::strtoull(line_of(disk / "size").c_str(), nullptr, 10) * kSector;
  device.model = model_of(disk);
  device.read_only = line_of(disk / "ro") == "1";
  const Names names = names_of(disk);
  add_mounts(proc, names, device.uses);
  add_swaps(proc, names, device.uses);
  add_holders(disk, names, device.uses);
  return device;
}

Result<BlockDevice> look_at_device(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return {Errc::not_found, path + ": " + std::strerror(errno)};
  if (!S_ISBLK(status.st_mode)) return {Errc::invalid_argument, path + " is no disk"};
  return look_at_device({major(status.st_rdev), minor(status.st_rdev)}, "/sys", "/proc");
}

}  // namespace dunlin::image
