#include "cli/image/cpio.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace dunlin::image {
namespace {

namespace fs = std::filesystem;

void fill(const test::TempDir& folder) {
  fs::create_directories(folder.path() / "bin");
  folder.write("init", "#!/bin/sh\n");
  fs::permissions(folder.file("init"), fs::perms(0755));
  fs::create_symlink("busybox", folder.path() / "bin/sh");
}

TEST(Cpio, HasFoldersFilesAndLinksInNameOrder) {
  const test::TempDir folder;
  fill(folder);
  const std::string archive = write_cpio(folder.path().string(), 0x11223344).value();
  std::string head(archive.substr(0, 110));
  // Number 1, a folder of mode 0755, of that time, owned by root; "bin" with its end is 4 bytes.
  EXPECT_EQ(head,
            "070701"
            "00000001"
            "000041ed"
            "00000000"
            "00000000"
            "00000001"
            "11223344"
            "00000000"
            "00000000"
            "00000000"
            "00000000"
            "00000000"
            "00000004"
            "00000000");
  EXPECT_EQ(archive.substr(110, 4), std::string("bin\0", 4));
  EXPECT_EQ(archive.size() % 4, 0U);
  const std::size_t link = archive.find("bin/sh"), file = archive.find("init");
  EXPECT_LT(link, file);
  EXPECT_EQ(archive.substr(link + 6 + 4, 7), "busybox");
  EXPECT_NE(archive.find("#!/bin/sh\n", file), std::string::npos);
  EXPECT_NE(archive.find("TRAILER!!!"), std::string::npos);
}

TEST(Cpio, TheSameFolderGivesTheSameBytes) {
  const test::TempDir one, other;
  fill(one);
  fill(other);
  EXPECT_EQ(write_cpio(one.path().string(), 1).value(),
            write_cpio(other.path().string(), 1).value());
  other.write("init", "#!/bin/ash\n");
  EXPECT_NE(write_cpio(one.path().string(), 1).value(),
            write_cpio(other.path().string(), 1).value());
}

}  // namespace
}  // namespace dunlin::image
