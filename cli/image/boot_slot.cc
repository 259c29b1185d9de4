#include "cli/image/boot_slot.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "cli/image/command.h"
#include "cli/image/files.h"

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSlot = "a";

void replace(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

// systemd's boot loader, by its name in UEFI.
std::string uefi_loader(const std::string& architecture) {
  return architecture == "amd64" ? "x64" : architecture == "arm64" ? "aa64" : "arm";
}

}  // namespace

std::string BootSlot::arguments(const std::string& slot) const {
  std::string text = "console=" + profile.console;
  for (const std::string& each : recipe.arguments) text += " " + each;
  return text + " dunlin.boot=" + serial + " dunlin.slot=" + slot;
}

Result<void> BootSlot::write(Stage& stage) const {
  DUNLIN_TRY(stage.add_file("boot/vmlinuz-" + release, "a/kernel"));
  switch (recipe.boot) {
    case Boot::u_boot:
      return write_u_boot(stage);
    case Boot::uefi:
      return write_uefi(stage);
    case Boot::raspberrypi:
      return write_raspberrypi(stage);
  }
  return {};
}

Result<void> BootSlot::write_u_boot(Stage& stage) const {
  const bool is_64_bit = profile.architecture == "arm64";
  DUNLIN_ASSIGN(std::string script, read_file(profiles + "/base/boot.cmd"));
  replace(script, "@BOOT@", is_64_bit ? "booti" : "bootz");
  const std::string source = stage.folder() + ".cmd";
  DUNLIN_TRY(write_file(source, script));
  DUNLIN_TRY(run({{"mkimage", "-T", "script", "-C", "none", "-A", is_64_bit ? "arm64" : "arm", "-n",
                   "dunlin", "-d", source, stage.path("boot.scr")},
                  {"SOURCE_DATE_EPOCH=" + std::to_string(stage.newest())}}));
  DUNLIN_TRY(write_file(stage.path("slot.env"), "slot=a\ntry=none\n"));
  return write_file(stage.path("a/arguments.env"), "bootargs=" + arguments(kSlot) + "\n");
}

Result<void> BootSlot::write_uefi(Stage& stage) const {
  const std::string name = uefi_loader(profile.architecture);
  std::string upper = name;
  for (char& each : upper) each = static_cast<char>(std::toupper(each));
  DUNLIN_TRY(stage.add_file("usr/lib/systemd/boot/efi/systemd-boot" + name + ".efi",
                            "EFI/BOOT/BOOT" + upper + ".EFI"));
  DUNLIN_TRY(write_file(stage.path("loader/loader.conf"),
                        "default dunlin-a.conf\ntimeout 0\neditor no\n"));
  return write_file(stage.path("loader/entries/dunlin-a.conf"),
                    "title Dunlin, slot a\nlinux /a/kernel\ninitrd /a/initrd\noptions " +
                        arguments(kSlot) + "\n");
}

// The firmware takes everything of a slot from the folder that os_prefix names; tryboot.txt is read
// in place of config.txt for one boot, when a reboot asks for it.
Result<void> BootSlot::write_raspberrypi(Stage& stage) const {
  // Those with debugging, more cameras or less memory of their own are for others.
  for (const char* each : {"bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"})
    DUNLIN_TRY(stage.add_file(std::string("usr/lib/raspi-firmware/") + each, each));
  const std::string trees = "usr/lib/linux-image-" + release + "/broadcom/";
  DUNLIN_ASSIGN(const std::string folder, stage.packages().find(trees));
  for (const auto& each : fs::directory_iterator(folder)) {
    const std::string name = each.path().filename().string();
    DUNLIN_TRY(stage.add_file(trees + name, "a/" + name));
  }
  const std::string common =
      "arm_64bit=1\nkernel=kernel\ninitramfs initrd followkernel\n"
      "upstream_kernel=1\nenable_uart=1\ndtparam=watchdog=on\n";
  DUNLIN_TRY(write_file(stage.path("config.txt"), common + "os_prefix=a/\n"));
  DUNLIN_TRY(write_file(stage.path("tryboot.txt"), common + "os_prefix=b/\n"));
  return write_file(stage.path("a/cmdline.txt"), arguments(kSlot) + "\n");
}

Result<void> make_fat(const std::string& file, const std::string& folder, const Fat& fat) {
  const std::vector<std::string> env = {"SOURCE_DATE_EPOCH=" + std::to_string(fat.time), "TZ=UTC",
                                        "MTOOLS_SKIP_CHECK=1"};
  DUNLIN_TRY(write_file(file, ""));
  fs::resize_file(file, fat.size);
  std::string serial = fat.serial;
  replace(serial, "-", "");
  DUNLIN_TRY(run({{"mformat", "-i", file, "-F", "-c", "1", "-T", std::to_string(fat.size / 512),
                   "-h", "64", "-s", "32", "-v", "DUNLIN", "-N", serial, "::"},
                  env}));
  // One by one and by name: a tool that is given a folder takes the order of its file system.
  std::vector<fs::path> paths;
  for (const auto& each : fs::recursive_directory_iterator(folder)) paths.push_back(each.path());
  std::sort(paths.begin(), paths.end());  // a folder comes before what is in it
  for (const fs::path& each : paths) {
    const std::string to = "::" + each.lexically_relative(folder).string();
    if (fs::is_directory(each))
      DUNLIN_TRY(run({{"mmd", "-i", file, to}, env}));
    else
      DUNLIN_TRY(run({{"mcopy", "-i", file, "-m", each.string(), to}, env}));
  }
  return {};
}

}  // namespace dunlin::image
