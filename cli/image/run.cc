#include "cli/image/run.h"

#include <filesystem>

#include "cli/image/command.h"
#include "cli/image/compress.h"
#include "cli/image/files.h"
#include "cli/image/inspect.h"
#include "cli/image/profile.h"
#include "cli/image/recipe.h"

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kFlashSize = 64 << 20;      // of QEMU's machine virt, each of two
constexpr const char* kEnvironmentSize = "0x40000";  // as Debian's U-Boot has it there

// The second flash of the machine, which is where its U-Boot keeps its variables.
Result<void> write_flash(const std::string& file, const std::vector<std::string>& variables) {
  std::string text;
  for (const std::string& each : variables) text += each + "\n";
  DUNLIN_TRY(
      run({.argv = {"mkenvimage", "-s", kEnvironmentSize, "-o", file, "-"}, .stdin_text = text}));
  std::error_code failed;
  fs::resize_file(file, kFlashSize, failed);
  if (failed) return {Errc::io, file + ": " + failed.message()};
  return {};
}

std::string qemu_of(const std::string& architecture) {
  return "qemu-system-" + std::string(architecture == "amd64"   ? "x86_64"
                                      : architecture == "arm64" ? "aarch64"
                                                                : "arm");
}

Result<Command> machine(const RunOptions& options) {
  DUNLIN_ASSIGN(const std::string name, profile_of(options.disk));
  DUNLIN_ASSIGN(const Profile profile, load_profile(options.profiles, name));
  DUNLIN_ASSIGN(const Recipe recipe, load_recipe(options.profiles, name));
  if (!profile.qemu) return Error{Errc::unsupported, "QEMU has no machine for " + name};
  Command command{{qemu_of(profile.architecture),
                   "-machine",
                   profile.qemu->machine,
                   "-cpu",
                   profile.qemu->cpu,
                   "-m",
                   std::to_string(profile.ram >> 20),
                   "-bios",
                   recipe.firmware,
                   "-display",
                   "none",
                   "-monitor",
                   "none",
                   "-serial",
                   "stdio",
                   "-drive",
                   "if=none,id=disk,format=raw,file=" + options.disk,
                   "-device",
                   "virtio-blk-pci,drive=disk",
                   "-netdev",
                   "user,id=net",
                   "-device",
                   "virtio-net-pci,netdev=net",
                   "-device",
                   "virtio-rng-pci",
                   "-device",
                   "i6300esb"}};
  const auto add = [&](const char* option, const std::string& value) {
    command.argv.insert(command.argv.end(), {option, value});
  };
  if (!recipe.variables.empty()) {
    const std::string flash = options.disk + ".flash";
    DUNLIN_TRY(write_flash(flash, recipe.variables));
    add("-drive", "if=pflash,unit=1,format=raw,file=" + flash);
  }
  if (!options.clock) add("-rtc", "base=1970-01-01");
  command.argv.insert(command.argv.end(), options.qemu.begin(), options.qemu.end());
  return command;
}

}  // namespace

Result<bool> provide_disk(const std::string& image, const std::string& disk) {
  std::error_code failed;
  if (fs::exists(disk, failed)) {
    const auto made = fs::last_write_time(image, failed);
    return !failed && made > fs::last_write_time(disk, failed) && !failed;
  }
  const std::string part = disk + ".new";
  DUNLIN_TRY(decompress(image, part));
  fs::rename(part, disk, failed);
  if (failed) return {Errc::io, disk + ": " + failed.message()};
  return false;
}

Error become_machine(const RunOptions& options) {
  const Result<Command> command = machine(options);
  if (!command.ok()) return command.error();
  return become(*command);
}

}  // namespace dunlin::image
