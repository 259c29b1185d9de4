// An image of every class that there is a folder of: it is made, and holds what its machine starts
// from.
#include <algorithm>
#include <fstream>

#include "cli/image/command.h"
#include "cli/image/files.h"
#include "cli/image/inspect.h"
#include "cli/image/profile.h"
#include "tests/firmware/firmware.h"

namespace dunlin::test {
namespace {

namespace fs = std::filesystem;

class EveryClass : public Firmware, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    begin_alone(GetParam());
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(build_image({}));
    inspected_ = image::inspect(image()).value();
    fs::create_directories(boot());
    const std::uint64_t at = inspected_.layout.partitions[image::Layout::boot].offset;
    DUNLIN_ASSERT_OK(image::run(
        {{"mcopy", "-i", image() + "@@" + std::to_string(at), "-s", "-n", "-Q", "::*", boot()}}));
  }

  std::string boot() const { return folder_.file("boot"); }
  // Of a file on the boot slot, which has to be there.
  std::string text(const std::string& name) const {
    const auto text = image::read_file(boot() + "/" + name);
    EXPECT_TRUE(text.ok() && !text->empty()) << name;
    return text.ok() ? *text : "";
  }
  bool has(const std::string& name, const std::string& what) const {
    return text(name).find(what) != std::string::npos;
  }
  // "1234-ABCD", as the FAT32 there has it.
  std::string serial() const {
    std::ifstream file(image(), std::ios::binary);
    file.seekg(
        static_cast<std::streamoff>(inspected_.layout.partitions[image::Layout::boot].offset + 67));
    unsigned char bytes[4] = {};
    file.read(reinterpret_cast<char*>(bytes), 4);
    char hex[10];
    std::snprintf(hex, sizeof hex, "%02X%02X-%02X%02X", bytes[3], bytes[2], bytes[1], bytes[0]);
    return hex;
  }

  image::Inspected inspected_;
};

TEST_P(EveryClass, HasAnImageThatHoldsWhatItStartsFrom) {
  ASSERT_EQ(inspected_.slots.size(), 1U);
  const image::Manifest& manifest = inspected_.slots[0].manifest;
  EXPECT_EQ(manifest.profile, GetParam());
  EXPECT_TRUE(inspected_.slots[0].differs.empty());
  EXPECT_FALSE(text("a/kernel").empty());
  EXPECT_FALSE(text("a/initrd").empty());

  std::string arguments;
  if (manifest.boot == "u-boot") {
    text("boot.scr");
    EXPECT_TRUE(has("slot.env", "slot=a\n"));
    arguments = "a/arguments.env";
  } else if (manifest.boot == "uefi") {
    const auto& cpu = manifest.architecture;
    text(std::string("EFI/BOOT/BOOT") +
         (cpu == "amd64"   ? "X64"
          : cpu == "arm64" ? "AA64"
                           : "ARM") +
         ".EFI");
    EXPECT_TRUE(has("loader/loader.conf", "default dunlin-a.conf\n"));
    arguments = "loader/entries/dunlin-a.conf";
  } else {
    ASSERT_EQ(manifest.boot, "raspberrypi");
    for (const char* each : {"bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"})
      text(each);
    // The other slot is tried by a file of its own.
    EXPECT_TRUE(has("config.txt", "\nos_prefix=a/\n"));
    EXPECT_TRUE(has("tryboot.txt", "\nos_prefix=b/\n"));
    for (const char* file : {"config.txt", "tryboot.txt"})
      for (const char* each :
           {"arm_64bit=1\n", "kernel=kernel\n", "initramfs initrd followkernel\n"})
        EXPECT_TRUE(has(file, each)) << file << ": " << each;
    for (const char* each :
         {"bcm2837-rpi-zero-2-w", "bcm2837-rpi-3-b", "bcm2837-rpi-3-b-plus", "bcm2711-rpi-4-b"})
      EXPECT_TRUE(has(std::string("a/") + each + ".dtb", "\xd0\x0d\xfe\xed")) << each;
    arguments = "a/cmdline.txt";
  }
  const auto profile = image::load_profile(profiles_, GetParam());
  EXPECT_TRUE(has(arguments, "console=" + profile.value().console));
  EXPECT_TRUE(has(arguments, " dunlin.boot=" + serial() + " dunlin.slot=a")) << serial();
}

TEST_P(EveryClass, LetsNobodyIn) {
  const std::uint64_t at = inspected_.layout.partitions[image::Layout::root_a].offset;
  const std::string root = folder_.file("root");
  DUNLIN_ASSERT_OK(image::run(
      {{"unsquashfs", "-quiet", "-no-progress", "-o", std::to_string(at), "-d", root, image()}}));
  std::ifstream users(root + "/etc/passwd");
  int count = 0;
  for (std::string line; std::getline(users, line); ++count) {
    EXPECT_NE(line.find(":*:"), std::string::npos) << line;
    EXPECT_TRUE(line.ends_with(":/bin/false")) << line;
  }
  EXPECT_GT(count, 0);
  EXPECT_FALSE(fs::exists(root + "/etc/shadow"));
  for (const char* each : {"login", "getty", "sshd", "telnetd", "su", "passwd"})
    EXPECT_FALSE(fs::exists(root + "/usr/bin/" + each)) << each;
}

INSTANTIATE_TEST_SUITE_P(Profiles, EveryClass,
                         ::testing::ValuesIn(image::profile_names(std::string(DUNLIN_SOURCE_DIR) +
                                                                  "/firmware-profiles")),
                         [](const ::testing::TestParamInfo<std::string>& each) {
                           std::string name = each.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace dunlin::test
