#include "cli/image/write.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>

#include "cli/image/disk.h"
#include "cli/image/files.h"
#include "tests/support/temp_dir.h"

namespace dunlin::image {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1 << 20;

// A kernel with one disk, 250:0 "sdx", and its partition 250:1 "sdx1".
class WriteTo : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* each : {"sdx/holders", "sdx/device", "sdx/sdx1/holders", "dev/block"})
      fs::create_directories(folder_.path() / "sys" / each);
    folder_.write("sys/sdx/dev", "250:0\n");
    folder_.write("sys/sdx/size", "2048\n");
    folder_.write("sys/sdx/device/model", "Card Reader   \n");
    folder_.write("sys/sdx/sdx1/dev", "250:1\n");
    folder_.write("sys/sdx/sdx1/partition", "1\n");
    fs::create_directory_symlink("../../sdx", folder_.path() / "sys/dev/block/250:0");
    fs::create_directory_symlink("../../sdx/sdx1", folder_.path() / "sys/dev/block/250:1");
    folder_.write("mounts", "30 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    folder_.write("swaps", "Filename Type Size\n/dev/sda2 partition 1 0 -2\n");
    for (const unsigned number : {0U, 1U}) {
      const std::string path = folder_.file(number == 0 ? "sdx" : "sdx1");
      if (::mknod(path.c_str(), S_IFBLK | 0600, makedev(250, number)) != 0)
        GTEST_SKIP() << "only root makes device files";
    }
  }
  Result<Device> find(const std::string& name) const {
    return find_device(folder_.file(name),
                       {folder_.file("sys"), folder_.file("mounts"), folder_.file("swaps")});
  }
  test::TempDir folder_;
};

TEST_F(WriteTo, AnUnusedDeviceSaysWhatItIs) {
  const Device device = find("sdx").value();
  EXPECT_EQ(device.model, "Card Reader");
  EXPECT_EQ(device.size, kMiB);
}

TEST_F(WriteTo, WhatIsMountedIsRefused) {
  folder_.write("mounts", "31 1 250:1 / /media/card rw - vfat /dev/sdx1 rw\n");
  EXPECT_THAT(find("sdx").error().message(), HasSubstr("exists: "));
  EXPECT_THAT(find("sdx").error().message(), HasSubstr("mounted at /media/card"));
}

TEST_F(WriteTo, WhatIsSwappedToOrPartOfAnotherIsRefused) {
  folder_.write("swaps", "Filename Type\n/dev/sdx1 partition 1 0 -2\n");
  EXPECT_THAT(find("sdx").error().message(), HasSubstr("swapped"));
  folder_.write("swaps", "");
  fs::create_directories(folder_.path() / "sys/sdx/sdx1/holders/dm-0");
  EXPECT_THAT(find("sdx").error().message(), HasSubstr("dm-0 is made of it"));
}

TEST_F(WriteTo, PartitionsAndFilesAreRefused) {
  EXPECT_THAT(find("sdx1").error().message(), HasSubstr("is a part of sdx"));
  EXPECT_THAT(find("mounts").error().message(), HasSubstr("no block device"));
  EXPECT_EQ(find("none").error().code, Errc::io);
}

// A file stands for the device from here on.
class Write : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(make_disk(disk(), layout_, {false, "seed"}).ok());
    fs::resize_file(folder_.write("content", std::string(100'000, 'x')), 100'000);
    ASSERT_TRUE(
        write_into(disk(), layout_.partitions[Layout::root_a].offset, folder_.file("content"))
            .ok());
  }
  std::string disk() const { return folder_.file("disk.img"); }
  std::string device(std::uint64_t size) const {
    const std::string path = folder_.write("device", "old content");
    fs::resize_file(path, size);
    return path;
  }
  test::TempDir folder_;
  const Layout layout_ = layout_of({4 * kMiB, 4 * kMiB, 4 * kMiB});
};

TEST_F(Write, WritesAndReadsBack) {
  const std::string to = device(layout_.size);
  std::uint64_t last = 0, all = 0;
  ASSERT_TRUE(write({disk(), to, false,
                     [&](std::uint64_t done, std::uint64_t of) {
                       EXPECT_GT(done, last);
                       last = done, all = of;
                     }})
                  .ok());
  EXPECT_EQ(last, all);
  EXPECT_EQ(read_file(to).value(), read_file(disk()).value());
}

TEST_F(Write, TooSmallADeviceIsNotTouched) {
  const std::string to = device(layout_.size - 512);
  const std::string before = read_file(to).value();
  EXPECT_EQ(write({disk(), to, false, {}}).error().code, Errc::too_large);
  EXPECT_EQ(read_file(to).value(), before);
}

TEST_F(Write, ExpandedTheDataPartitionTakesTheRest) {
  for (const bool mbr : {false, true}) {
    ASSERT_TRUE(make_disk(disk(), layout_, {mbr, "seed"}).ok());
    const std::string to = device(layout_.size + 50 * kMiB);
    const Result<void> written = write({disk(), to, true, {}});
    ASSERT_TRUE(written.ok()) << written.error().message();
    const Layout read = read_layout(to).value();
    for (const auto each : {Layout::boot, Layout::root_a, Layout::root_b})
      EXPECT_EQ(read.partitions[each].size, layout_.partitions[each].size);
    EXPECT_EQ(read.partitions[Layout::data].offset, layout_.partitions[Layout::data].offset);
    EXPECT_GE(read.partitions[Layout::data].size, 53 * kMiB);
  }
}

}  // namespace
}  // namespace dunlin::image
