// Images as files: the same inputs give the same bytes, and what is in them is what they say.
#include <gmock/gmock.h>

#include <fstream>
#include <map>

#include "cli/image/disk.h"
#include "cli/image/files.h"
#include "cli/image/inspect.h"
#include "tests/firmware/firmware.h"

namespace dunlin::test {
namespace {

// Of the FAT32 on its boot slot.
std::string serial_of(const std::string& image) {
  const image::Layout layout = image::read_layout(image).value();
  std::ifstream file(image, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(layout.partitions[image::Layout::boot].offset + 67));
  std::string serial(4, '\0');
  file.read(serial.data(), 4);
  return serial;
}

class ImageFile : public Firmware {
 protected:
  void SetUp() override {
    begin("qemu-arm64");
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
  }
};

TEST_F(ImageFile, TheSameInputsGiveTheSameBytes) {
  const std::string first = image::hash_of(image()).value();
  std::filesystem::remove(image());
  // FAT counts in steps of two seconds.
  const auto began = std::chrono::system_clock::now();
  ASSERT_TRUE(eventually(
      [&] { return std::chrono::system_clock::now() > began + std::chrono::seconds(3); }));
  ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
  EXPECT_EQ(image::hash_of(image()).value(), first);
}

// The initial memory disk finds its disk by the serial number of the boot slot.
TEST_F(ImageFile, DisksOfTwoDevicesAreToldApart) {
  const std::string first = serial_of(image());
  EXPECT_EQ(first.size(), 4U);
  ASSERT_TRUE(fleet({"device", "add", "other", "--out", bundle("other")}));
  ASSERT_TRUE(build_image({"--bundle", bundle("other")}));
  EXPECT_NE(serial_of(image()), first);
}

TEST_F(ImageFile, SaysWhatIsInIt) {
  const image::Inspected inspected = image::inspect(image()).value();
  ASSERT_EQ(inspected.slots.size(), 1U);
  EXPECT_EQ(inspected.slots[0].name, "a");
  EXPECT_TRUE(inspected.slots[0].differs.empty());
  EXPECT_EQ(inspected.slots[0].manifest.profile, "qemu-arm64");
  EXPECT_EQ(inspected.owner->name, "device");
  EXPECT_FALSE(inspected.token);
  std::map<std::string, image::Manifest::Content> contents;
  for (const auto& each : inspected.slots[0].manifest.contents) contents[each.package] = each;
  for (const char* each : {"dunlin", "busybox-static", "libc6", "libssl3", "openntpd",
                           "libmbedtls-dev", "libzstd-dev", "nlohmann-json3-dev"})
    EXPECT_FALSE(contents[each].version.empty()) << each;
  EXPECT_EQ(contents["dunlin"].licences, std::vector<std::string>{"Apache-2.0"});
  EXPECT_THAT(contents["libmbedtls-dev"].licences, testing::Contains("Apache-2.0"));

  // A bit of the root that somebody turned.
  const image::Extent root = inspected.layout.partitions[image::Layout::root_a];
  std::fstream file(image(), std::ios::binary | std::ios::in | std::ios::out);
  const auto at = static_cast<std::streamoff>(root.offset + 5000);
  file.seekg(at);
  const int before = file.get();
  file.seekp(at);
  file.put(static_cast<char>(before ^ 1));
  file.close();
  EXPECT_EQ(image::inspect(image()).value().slots[0].differs, std::vector<std::string>{"root"});
}

TEST_F(ImageFile, RunsWithMoreOptionsOfQemu) {
  DUNLIN_ASSERT_OK(machine_->start({"--", "-version"}));
  EXPECT_TRUE(eventually([&] { return !machine_->running(); }));
  EXPECT_NE(machine_->console().find("QEMU emulator version"), std::string::npos) << explain();
}

}  // namespace
}  // namespace dunlin::test
