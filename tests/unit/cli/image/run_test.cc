#include "cli/image/run.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "cli/image/files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/cli/image/stand_in.h"

namespace dunlin::image {
namespace {

namespace fs = std::filesystem;

TEST(MachineDisk, IsMadeOnceAndSaysWhenTheImageIsNewer) {
  const test::TempDir folder;
  const std::string image = folder.write("a.img", "first"), disk = folder.file("a.img.disk");
  EXPECT_FALSE(provide_disk(image, disk).value());
  EXPECT_EQ(read_file(disk).value(), "first");
  EXPECT_FALSE(provide_disk(image, disk).value());

  ASSERT_TRUE(write_file(image, "second").ok());
  fs::last_write_time(image, fs::last_write_time(disk) + std::chrono::seconds(1));
  EXPECT_TRUE(provide_disk(image, disk).value());
  EXPECT_EQ(read_file(disk).value(), "first");

  fs::remove(image);  // a disk that is there needs none
  EXPECT_FALSE(provide_disk(image, disk).value());
}

TEST(MachineDisk, IsThereWholeOrNotAtAll) {
  const test::TempDir folder;
  const std::string disk = folder.file("disk");
  const test::StandIn killed("cp", "for to; do :; done; printf half >\"$to\"; kill -9 $$\n");
  EXPECT_FALSE(provide_disk(folder.write("a.img", "image"), disk).ok());
  EXPECT_FALSE(fs::exists(disk));
}

}  // namespace
}  // namespace dunlin::image
