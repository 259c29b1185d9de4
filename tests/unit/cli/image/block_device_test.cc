#include "cli/image/block_device.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace dunlin::image {
namespace {

namespace fs = std::filesystem;

// A machine with a disk of two partitions and a card reader, as its sysfs and proc tell.
class BlockDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    disk("8:0", "devices/pci0/ata1/block/sda", 1000);
    partition("8:1", "devices/pci0/ata1/block/sda/sda1");
    partition("8:2", "devices/pci0/ata1/block/sda/sda2");
    put("sys/devices/pci0/ata1/block/sda/device/model", "Fast SSD 256G   \n");
    put("sys/devices/pci0/ata1/block/sda/device/vendor", "ATA     \n");
    disk("179:0", "devices/soc/mmc0/block/mmcblk0", 62'521'344);
    partition("179:1", "devices/soc/mmc0/block/mmcblk0/mmcblk0p1");
    put("sys/devices/soc/mmc0/block/mmcblk0/device/name", "SD32G\n");
    put("proc/self/mountinfo",
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "27 1 8:2 / / rw shared:1 master:2 - ext4 /dev/root rw\n");
    put("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
  }
  void put(const std::string& path, const std::string& text) const {
    const fs::path file = folder_.file(path);
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void link(const std::string& number, const std::string& path) const {
    fs::create_directories(folder_.file("sys/dev/block"));
    fs::create_directory_symlink(fs::path("../..") / path, folder_.file("sys/dev/block/" + number));
    put("sys/" + path + "/dev", number + "\n");
  }
  void disk(const std::string& number, const std::string& path, std::uint64_t sectors) const {
    put("sys/" + path + "/size", std::to_string(sectors) + "\n");
    put("sys/" + path + "/ro", "0\n");
    link(number, path);
  }
  void partition(const std::string& number, const std::string& path) const {
    put("sys/" + path + "/partition", "1\n");
    link(number, path);
  }
  Result<BlockDevice> look(DeviceNumber number) const {
    return look_at_device(number, folder_.file("sys"), folder_.file("proc"));
  }

  test::TempDir folder_;
};

TEST_F(BlockDeviceTest, ACardThatNobodyUses) {
  const auto card = look({179, 0});
  ASSERT_TRUE(card.ok()) << card.error().message();
  EXPECT_EQ(card->path, "/dev/mmcblk0");
  EXPECT_EQ(card->model, "SD32G");
  EXPECT_EQ(card->size, 62'521'344ULL * 512);
  EXPECT_FALSE(card->read_only);
  EXPECT_TRUE(card->uses.empty());
}

TEST_F(BlockDeviceTest, TheDiskOfThisSystemIsInUse) {
  const auto system = look({8, 0});
  ASSERT_TRUE(system.ok()) << system.error().message();
  EXPECT_EQ(system->model, "ATA Fast SSD 256G");
  EXPECT_EQ(system->uses, (std::vector<std::string>{"sda2 is mounted on /"}));
}

TEST_F(BlockDeviceTest, APartitionIsNoDisk) {
  const auto partition = look({179, 1});
  ASSERT_FALSE(partition.ok());
  EXPECT_EQ(partition.error().code, Errc::invalid_argument);
  EXPECT_EQ(partition.error().context, "/dev/mmcblk0p1 is a partition of the disk /dev/mmcblk0");
  EXPECT_EQ(look({179, 9}).error().code, Errc::not_found);
}

TEST_F(BlockDeviceTest, AnythingBuiltOnItIsAUse) {
  fs::create_directories(folder_.file("sys/devices/soc/mmc0/block/mmcblk0/mmcblk0p1/holders/dm-0"));
  put("sys/devices/soc/mmc0/block/mmcblk0/ro", "1\n");
  const auto card = look({179, 0});
  ASSERT_TRUE(card.ok());
  EXPECT_EQ(card->uses, (std::vector<std::string>{"mmcblk0p1 is a part of dm-0"}));
  EXPECT_TRUE(card->read_only);
}

TEST_F(BlockDeviceTest, WhatIsNoDeviceIsNoDisk) {
  put("file.img", "x");
  EXPECT_EQ(look_at_device(folder_.file("file.img")).error().code, Errc::invalid_argument);
  EXPECT_EQ(look_at_device(folder_.file("none")).error().code, Errc::not_found);
  EXPECT_EQ(look_at_device("/dev/null").error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace dunlin::image
