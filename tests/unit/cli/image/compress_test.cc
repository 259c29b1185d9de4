#include "cli/image/compress.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/image/files.h"
#include "tests/support/temp_dir.h"

namespace dunlin::image {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

TEST(Compress, OnlyItsOwnerReadsAnImageAndTheDiskOfIt) {
  for (const char* name : {"a.img", "a.img.zst", "a.img.xz"}) {
    const test::TempDir folder;
    const std::string disk = folder.file("disk.img"), image = folder.file(name);
    ASSERT_TRUE(write_file(disk, "key").ok());
    ASSERT_TRUE(write_file(image, "an older one, for all to read").ok());
    ASSERT_TRUE(compress(disk, image).ok()) << name;
    EXPECT_EQ(mode_of(image), 0600U) << name;

    ::chmod(image.c_str(), 0644);  // as somebody copied it
    const std::string again = folder.file("again.disk");
    ASSERT_TRUE(decompress(image, again).ok()) << name;
    EXPECT_EQ(mode_of(again), 0600U) << name;
    EXPECT_EQ(read_file(again).value(), "key") << name;
  }
}

TEST(Compress, OtherNamesAreMistakes) {
  EXPECT_EQ(compress("disk", "a.iso").error().code, Errc::invalid_argument);
  EXPECT_EQ(decompress("a.iso", "disk").error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace dunlin::image
